/** @file Checkpoints: gone on from bit for bit, by one owner. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { checkpointKey, openCheckpoint, otherClasses, type RunState, removeCheckpoints } from "./checkpoint.ts";

const KEY = "training/x/checkpoint";
const IDENTITY = { dataSha256: "data", computeClass: "cpu/A/avx2/ort" };
const STATE: RunState = {
  step: 7,
  parameters: Float32Array.of(1.5, -0, Number.MIN_VALUE, 3e-39),
  accumulators: Float32Array.of(0.1, 2, 3, 4),
  weightSum: Float64Array.of(1e-300, 1 / 3, -0, 2 ** 40 + 1),
  losses: [Math.fround(0.7), Math.fround(0.3)],
  openLoss: 0.1 + 0.2,
  accuracies: [1 / 3, 0.75],
};

test("a run goes on from the very bits it saved, the last time it did", async (t) => {
  const objects = await temporaryStore(t);
  const first = await openCheckpoint(objects, KEY, IDENTITY);
  assert.equal(first.state, undefined);
  await first.save({ ...STATE, step: 3 });
  await first.save(STATE);
  assert.deepEqual((await openCheckpoint(objects, KEY, IDENTITY)).state, STATE);
});

test("an owner whose run was taken over stops, and the new owner's state stays", async (t) => {
  const objects = await temporaryStore(t);
  const old = await openCheckpoint(objects, KEY, IDENTITY);
  const other = await openCheckpoint(objects, KEY, IDENTITY);
  await other.save(STATE);
  await assert.rejects(old.save({ ...STATE, step: 99 }), { kind: "unavailable", reason: "RUN_TAKEN_OVER" });
  await other.save({ ...STATE, step: 8 });
  const late = await openCheckpoint(objects, KEY, IDENTITY);
  await late.save({ ...STATE, step: 9 });
  await assert.rejects(other.save({ ...STATE, step: 10 }), { reason: "RUN_TAKEN_OVER" });
  assert.equal((await openCheckpoint(objects, KEY, IDENTITY)).state?.step, 9);
});

for (const [what, changed] of Object.entries({
  data: { dataSha256: "other" },
  "compute class": { computeClass: "gpu" },
})) {
  test(`a run on other ${what} starts anew and may save`, async (t) => {
    const objects = await temporaryStore(t);
    await (await openCheckpoint(objects, KEY, IDENTITY)).save(STATE);
    const anew = await openCheckpoint(objects, KEY, { ...IDENTITY, ...changed });
    assert.equal(anew.state, undefined);
    await anew.save({ ...STATE, step: 1 });
    assert.equal((await openCheckpoint(objects, KEY, { ...IDENTITY, ...changed })).state?.step, 1);
  });
}

test("a task that moves between two compute classes goes on in each, and leaves nothing behind when it is done", async (t) => {
  const objects = await temporaryStore(t);
  const open = (computeClass: string) =>
    openCheckpoint(objects, checkpointKey("task", computeClass), { ...IDENTITY, computeClass });
  await (await open("avx2")).save({ ...STATE, step: 5 });
  const moved = await open("avx512");
  assert.equal(moved.state, undefined);
  assert.deepEqual(await otherClasses(objects, "task", "avx512"), ["avx2"]);
  await moved.save({ ...STATE, step: 3 });
  assert.deepEqual([(await open("avx2")).state?.step, (await open("avx512")).state?.step], [5, 3]);
  await (await openCheckpoint(objects, checkpointKey("task-2", "avx2"), IDENTITY)).save(STATE);
  await removeCheckpoints(objects, "task");
  assert.equal((await open("avx2")).state, undefined);
  assert.deepEqual(await otherClasses(objects, "task-2", "none"), [IDENTITY.computeClass]);
});
