import assert from "node:assert/strict";
import { test } from "node:test";
import { PROBE_INPUT, PROBE_TOLERANCE, probeModel, probeOutput } from "./probe-model.ts";
import { openRuntime } from "./runtime.ts";
import { float32Data } from "./tensor.ts";

/** The nearest number of 10 bits after the first. */
function toTf32(value: number): number {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(value))) - 10);
  return value === 0 ? 0 : Math.round(value / unit) * unit;
}

test("the probe takes the CPU for right and TF32 for wrong", async (t) => {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  t.after(() => runtime.close());
  const { y } = await (await runtime.session(probeModel())).run({ x: PROBE_INPUT });
  const right = probeOutput();
  const worst = (found: Float32Array) => Math.max(...found.map((value, i) => Math.abs(value - right[i]!)));
  assert.ok(worst(float32Data(y)) < PROBE_TOLERANCE / 10);
  assert.ok(worst(probeOutput(toTf32)) > PROBE_TOLERANCE * 4);
});

// What this machine has decides which half is seen; no machine may see a third.
for (const device of ["cuda", "webgpu"] as const) {
  test(`"${device}" computes there, or is refused with what to do: never on the CPU instead`, async (t) => {
    const opened = await openRuntime({ workers: 2, threadsPerWorker: 1, device }).catch((error: unknown) => error);
    if (opened instanceof Error) {
      assert.deepEqual({ ...opened }, { ...opened, kind: "failedPrecondition", reason: "DEVICE_UNAVAILABLE" });
      assert.match(opened.message, new RegExp(`^Cannot use device "${device}": .+; it needs .+`));
      return;
    }
    const runtime = opened as Awaited<ReturnType<typeof openRuntime>>;
    t.after(() => runtime.close());
    assert.match(runtime.computeClass, new RegExp(`^${device}/A/`));
  });
}
