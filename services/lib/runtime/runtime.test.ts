import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { channelBlockByFlags } from "./channel-block.fixture.ts";
import { matrixPowerModel, testMatrix } from "./models.fixture.ts";
import { openRuntime, type RuntimeOptions } from "./runtime.ts";
import { detach, float32Data, type Tensor } from "./tensor.ts";

const open = async (t: TestContext, options: Partial<RuntimeOptions> = {}) => {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu", ...options });
  t.after(() => runtime.close());
  return runtime;
};
const matrix = (data: Float32Array, n = Math.sqrt(data.length)): Tensor => ({ type: "float32", dims: [n, n], data });
const failsAs = (kind: string, reason: string) => ({ name: "DomainError", kind, reason });

test("runs a model and returns all outputs, or the named ones", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const feeds = { x: matrix(Float32Array.of(1, 2, 3, 4)) };

  const all = await session.run(feeds);
  assert.deepEqual([...float32Data(all.power)], [7, 10, 15, 22]);
  assert.deepEqual(all.power?.dims, [2, 2]);
  assert.deepEqual(Object.keys(await session.run(feeds, ["negative"])), ["negative"]);
});

test("finds blocks of 16 channels on a CPU with AVX-512, of 8 on one with AVX2", async (t) => {
  const { channelBlock } = await open(t);
  // what another CPU has only ONNX Runtime knows
  assert.equal(channelBlock, channelBlockByFlags() ?? channelBlock);
});

test("a run's seconds are the model's, not those it waited for the runs before it", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(12));
  await session.run({ x: matrix(testMatrix(256)) });
  const startedMs = performance.now();
  const runs = await Promise.all([1, 2, 3, 4].map(() => session.timedRun({ x: matrix(testMatrix(256)) })));
  const all = (performance.now() - startedMs) / 1_000;
  const seconds = runs.map((run) => run.seconds);
  assert.ok(
    seconds.every((one) => one > 0),
    seconds.join(", "),
  );
  assert.ok(seconds.reduce((sum, one) => sum + one, 0) <= all, `${seconds.join(", ")} of ${all}`);
});

test("keeps the event loop turning while a run is in flight", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(24));
  let ticks = 0;
  const running = session.run({ x: matrix(testMatrix(768)) });
  const timer = setInterval(() => {
    ticks += 1;
  }, 5);
  await running;
  clearInterval(timer);
  assert.ok(ticks >= 3, `${ticks} ticks during the run`);
});

test("returns the same bits on one worker, two workers, and two threads", async (t) => {
  const results: Float32Array[] = [];
  for (const options of [{}, { workers: 2 }, { threadsPerWorker: 2 }]) {
    const session = await (await open(t, options)).session(matrixPowerModel(5));
    const runs = await Promise.all([1, 2, 3, 4].map(() => session.run({ x: matrix(testMatrix(100)) })));
    results.push(...runs.map(({ power }) => float32Data(power)));
  }
  for (const result of results) assert.deepEqual(result, results[0]);
});

test("takes denormals for zero on every worker, also in a second runtime of the process", async (t) => {
  for (const workers of [3, 2]) {
    const session = await (await open(t, { workers })).session(matrixPowerModel(2));
    const runs = Array.from({ length: 4 * workers }, () =>
      session.run({ x: matrix(Float32Array.of(1e-20)) }, ["power"]),
    );
    for (const { power } of await Promise.all(runs)) assert.equal(float32Data(power)[0], 0);
  }
});

test("leaves the caller's feed as it is, and empties it when it is handed over", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const kept = Float32Array.of(1, 0, 0, 1);
  const handedOver = Float32Array.of(1, 0, 0, 1);
  await session.run({ x: matrix(kept) });
  await session.run({ x: { ...matrix(handedOver), transfer: true } });
  assert.equal(kept.length, 4);
  assert.equal(handedOver.length, 0);
});

test("copies a part of a larger buffer even where it was to be handed over", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const buffer = Float32Array.of(9, 1, 2, 3, 4, 9);
  const { negative } = await session.run({ x: { ...matrix(buffer.subarray(1, 5)), transfer: true } });
  assert.deepEqual([...float32Data(negative)], [-1, -2, -3, -4]);
  assert.equal(buffer.length, 6);
});

test("gives a buffer back that a feed was lent in, whatever of it the feed covers", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const buffer = new ArrayBuffer(64);
  const data = new Float32Array(buffer, 16, 4);
  data.set([1, 2, 3, 4]);
  const running = session.timedRun({ x: { type: "float32", dims: [2, 2], data, lend: true } });
  assert.equal(buffer.byteLength, 0, "lent, not copied");
  const { outputs, lent } = await running;
  assert.deepEqual([...float32Data(outputs.power)], [7, 10, 15, 22]);
  assert.deepEqual(
    lent.map((returned) => [...new Float32Array(returned, 16, 4)]),
    [[1, 2, 3, 4]],
  );
  assert.deepEqual((await session.timedRun({ x: matrix(Float32Array.of(1, 0, 0, 1)) })).lent, []);
});

test("writes outputs into memory that is lent for them, and makes the others", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const buffer = new ArrayBuffer(64);
  const data = new Float32Array(buffer, 16, 4);
  const into = (dims: readonly number[]) => ({ power: { type: "float32", dims, data, lend: true } as const });
  const { outputs, lent } = await session.timedRun({ x: matrix(Float32Array.of(1, 2, 3, 4)) }, [], into([2, 2]));
  assert.equal(buffer.byteLength, 0, "lent, not copied");
  const power = float32Data(outputs.power);
  assert.deepEqual([...power, power.byteOffset, power.buffer.byteLength], [7, 10, 15, 22, 16, 64]);
  assert.deepEqual([...float32Data(outputs.negative)], [-1, -2, -3, -4]);
  assert.deepEqual(lent, []);
});

test("refuses memory for an output that has other dims", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const wrong = { power: { type: "float32", dims: [4], data: new Float32Array(4), lend: true } as const };
  await assert.rejects(session.timedRun({ x: matrix(Float32Array.of(1, 2, 3, 4)) }, [], wrong));
  const { power } = await session.run({ x: matrix(Float32Array.of(1, 2, 3, 4)) });
  assert.deepEqual([...float32Data(power)], [7, 10, 15, 22]);
});

test("copies a part of Node's Buffer and leaves the rest as it is", () => {
  const buffer = Buffer.from([9, 1, 2, 9]);
  const { tensors, transfers } = detach({ x: { type: "uint8", dims: [2], data: buffer.subarray(1, 3) } });
  assert.deepEqual(tensors.x?.data, Uint8Array.of(1, 2));
  assert.notEqual(transfers[0], buffer.buffer);
});

test("refuses bytes that are no model, and works on", async (t) => {
  const runtime = await open(t);
  await assert.rejects(runtime.session(Uint8Array.of(1, 2, 3)), failsAs("invalidArgument", "MODEL_UNREADABLE"));
  await (await runtime.session(matrixPowerModel(2))).run({ x: matrix(testMatrix(2)) });
});

test("refuses feeds whose elements do not fill their dims", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  const short = { x: matrix(testMatrix(2), 3) };
  await assert.rejects(session.run(short), failsAs("invalidArgument", "TENSOR_INVALID"));
});

test("passes on what ONNX Runtime says of a run that fails, and works on", async (t) => {
  const session = await (await open(t)).session(matrixPowerModel(2));
  await assert.rejects(session.run({ y: matrix(testMatrix(2)) }), /input 'x'|x.*missing/i);
  const oblong: Tensor = { type: "float32", dims: [2, 3], data: new Float32Array(6) };
  await assert.rejects(session.run({ x: oblong }), /MatMul/);
  await session.run({ x: matrix(testMatrix(2)) });
});

test("refuses runs of a released session and releases again without complaint", async (t) => {
  for (const pinned of [false, true]) {
    const session = await (await open(t, { workers: 2 })).session(matrixPowerModel(2), { pinned });
    await session.release();
    await session.release();
    const late = session.run({ x: matrix(testMatrix(2)) });
    await assert.rejects(late, failsAs("failedPrecondition", "SESSION_RELEASED"));
  }
});

test("finishes the runs in flight on close, then refuses work", async (t) => {
  const runtime = await open(t, { workers: 2 });
  const session = await runtime.session(matrixPowerModel(8));
  const running = [1, 2, 3].map(() => session.run({ x: matrix(testMatrix(256)) }));
  await Promise.all([runtime.close(), runtime.close()]);
  for (const { power } of await Promise.all(running)) assert.equal(power?.data.length, 256 * 256);
  const refused = failsAs("failedPrecondition", "RUNTIME_CLOSED");
  await assert.rejects(session.run({ x: matrix(testMatrix(2)) }), refused);
  await assert.rejects(runtime.session(matrixPowerModel(2)), refused);
  await session.release();
});

test("lets a process end cleanly that closes during a run", async () => {
  const script = `
    import { openRuntime } from ${JSON.stringify(new URL("./runtime.js", import.meta.url).href)};
    import { matrixPowerModel, testMatrix } from ${JSON.stringify(new URL("./models.fixture.js", import.meta.url).href)};
    const runtime = await openRuntime({ workers: 2, threadsPerWorker: 1, device: "auto" });
    const session = await runtime.session(matrixPowerModel(8));
    const running = session.run({ x: { type: "float32", dims: [512, 512], data: testMatrix(512) } });
    await runtime.close();
    console.log((await running).power.data.length);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code, signal] = await once(child, "close");
  assert.deepEqual([code, signal, output.trim()], [0, null, String(512 * 512)]);
});

test("names the compute class by provider, variant, instruction set and version", async (t) => {
  assert.match(
    (await open(t, { device: "auto" })).computeClass,
    /^cpu\/(A|C(8|16)\.2)\/[a-z0-9_]+\/ort-\d+\.\d+\.\d+$/,
  );
});

/** A worker that is ready and then does what a request of a kind asks for; it knows no blocked operators. */
const script = (onRequest: Readonly<Record<string, string>>, onStop = "process.exit(0)") =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from "node:worker_threads";
      const say = (message) => parentPort.postMessage(message);
      parentPort.on("message", ({ kind, id, request }) => {
        if (kind === "stop") { ${onStop} }
        else if (request.kind === "create") { ${onRequest.create ?? ""} }
        else { ${onRequest.run ?? ""} }
      });
      say({ kind: "ready", version: "0" });`)}`,
  );
const CPU = { workers: 2, threadsPerWorker: 1, device: "cpu" } as const;

test("has failed when its last worker has died, and not before, nor when it is closed", async () => {
  const dies = script({ create: 'request.session === 0 ? say({ kind: "failed", id }) : process.exit(3)' });
  const runtime = await openRuntime(CPU, dies);
  const failures: Error[] = [];
  void runtime.failed.then((error) => failures.push(error));
  const died = failsAs("unavailable", "RUNTIME_WORKER_DIED");
  await assert.rejects(runtime.session(Uint8Array.of(1)), died);
  assert.equal(failures.length, 0, "one of two still computes");
  await assert.rejects(runtime.session(Uint8Array.of(1)), died);
  await runtime.close();
  assert.deepEqual(
    failures.map(({ message }) => message),
    ["Cannot compute: the worker ended"],
  );
  const closed = await openRuntime(CPU, dies);
  void closed.failed.then((error) => failures.push(error));
  await closed.close();
  assert.equal(failures.length, 1);
});

test("stops its workers where it cannot be opened", async (t) => {
  t.after(() => {
    delete process.env.RUNTIME_TEST_STOPPED;
  });
  const createdAndDies = {
    create: 'say({ kind: "done", id, outputs: {}, lent: [], seconds: 0 })',
    run: "process.exit(3)",
  };
  for (const dies of [createdAndDies, { create: "process.exit(3)" }]) {
    delete process.env.RUNTIME_TEST_STOPPED;
    const opening = openRuntime(CPU, script(dies, 'process.env.RUNTIME_TEST_STOPPED = "yes"; process.exit(0)'));
    await assert.rejects(opening, failsAs("unavailable", "RUNTIME_WORKER_DIED"));
    assert.equal(process.env.RUNTIME_TEST_STOPPED, "yes");
  }
});

test("refuses to open with no worker or a fraction of a thread", async () => {
  const refused = failsAs("invalidArgument", "RUNTIME_OPTIONS_INVALID");
  await assert.rejects(openRuntime({ workers: 0, threadsPerWorker: 1, device: "cpu" }), refused);
  await assert.rejects(openRuntime({ workers: 1, threadsPerWorker: 1.5, device: "cpu" }), refused);
});
