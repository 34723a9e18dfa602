/** @file The step loop on the real runtime: interrupted anywhere, it comes to the same bits. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { afterTest, temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { createBatches } from "./batches.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { TINY_NETWORK, toyRecords } from "./toy-data.fixture.ts";
import { type RunSettings, trainNetwork } from "./training-run.ts";

const SETTINGS: RunSettings = {
  network: TINY_NETWORK,
  iterations: 60,
  batchSize: 8,
  learningRate: 0.01,
  initialAccumulator: 0.1,
  weightDecay: 0.004,
  seed: 1,
  classWeights: Float32Array.of(1, 1, 1),
  channelMeans: Float32Array.of(140, 140, 140),
};

async function startTrainer(t: TestContext) {
  const objects = await temporaryStore(t);
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  afterTest(t, () => runtime.close());
  const batches = createBatches({ records: toyRecords(30, 1), classOfLabel: [0, 1, 2], batchSize: 8, seed: "1" });
  /** Trains from the checkpoint under `key`; aborts when the batch of step `stopAt` is put together. */
  const train = async (key: string, changes: Partial<RunSettings> = {}, stopAt = -1) => {
    const checkpoint = await openCheckpoint(objects, key, { dataSha256: "toy", computeClass: runtime.computeClass });
    const stopping = new AbortController();
    const batch = (step: number) => {
      if (step === stopAt) stopping.abort();
      return batches(step);
    };
    const context = { runtime, checkpoint, batch, signal: stopping.signal, report: async () => undefined };
    return (await trainNetwork(context, { ...SETTINGS, ...changes })).state;
  };
  return { train, objects };
}

test("the loss falls on classes that differ in brightness", async (t) => {
  const { train } = await startTrainer(t);
  const { losses, step } = await train("run", { iterations: 150 });
  assert.deepEqual([step, losses.length], [150, 3]);
  assert.ok(losses[2]! < 0.4 * losses[0]!, losses.join());
});

for (const stops of [[0], [1], [29], [49], [50], [51], [59], [3, 4, 20, 55]]) {
  test(`interrupted at step ${stops.join(", ")}, a run comes to the bits of one that was not`, async (t) => {
    const { train } = await startTrainer(t);
    const whole = await train("whole");
    for (const stop of stops) await assert.rejects(train("interrupted", {}, stop), { name: "AbortError" });
    const { step, parameters, accumulators, losses, openLoss } = await train("interrupted");
    assert.deepEqual({ step, parameters, accumulators, losses, openLoss }, { ...whole });
  });
}

test("another seed trains another network", async (t) => {
  const { train } = await startTrainer(t);
  assert.notDeepEqual((await train("one")).parameters, (await train("two", { seed: 2 })).parameters);
});

test("a loss that is no number ends the training with what to do, and is not saved", async (t) => {
  const { train, objects } = await startTrainer(t);
  await assert.rejects(train("wild", { learningRate: 1e30 }), {
    kind: "failedPrecondition",
    reason: "TRAINING_DIVERGED",
    message: /take a learning rate below 1e\+30/,
  });
  assert.equal(await objects.head("wild"), undefined);
});
