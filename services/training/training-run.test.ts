/** @file The step loop on the real runtime: interrupted anywhere, it comes to the same bits. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseNetwork } from "../lib/network/network-description.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { JobCancelled } from "../lib/service/jobs/cancellation.ts";
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
  rateSchedule: "cosine",
  optimizer: "adam",
  initialAccumulator: 0.1,
  weightDecay: 0.004,
  averagedSteps: 20,
  seed: 1,
  classWeights: Float32Array.of(1, 1, 1),
  channelMeans: Float32Array.of(140, 140, 140),
};

interface Interruption {
  readonly stopAt?: number;
  readonly killedAt?: number;
  readonly onAbort?: () => void;
  readonly abortReason?: Error;
  /** Abort while this point of the accuracy curve is measured, from 1. */
  readonly stopInPoint?: number;
}

async function startTrainer(t: TestContext) {
  const objects = await temporaryStore(t);
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  afterTest(t, () => runtime.close());
  const source = { records: toyRecords(30, 1), classOfLabel: [0, 1, 2], seed: "1", stainJitter: 0.1 };
  const identity = { dataSha256: "toy", computeClass: runtime.computeClass };
  /**
   * Trains from the checkpoint under `key`. Aborts when the batch of step `stopAt` is put together; at that of step `killedAt` ends
   * without saving, as a killed process does.
   */
  const run = async (
    key: string,
    changes: Partial<RunSettings> = {},
    { stopAt = -1, killedAt = -1, onAbort, abortReason, stopInPoint = -1 }: Interruption = {},
  ) => {
    const settings = { ...SETTINGS, ...changes };
    const batches = createBatches({ ...source, batchSize: settings.batchSize });
    const checkpoint = await openCheckpoint(objects, key, identity);
    const stopping = new AbortController();
    const batch = async (step: number) => {
      if (step === killedAt) throw new Error("killed");
      const made = batches(step);
      if (step === stopAt) {
        onAbort?.();
        stopping.abort(abortReason);
      }
      return made;
    };
    let points = checkpoint.state?.accuracies.length ?? 0;
    const accuracyOf = async (weights: Float32Array) => {
      if (++points === stopInPoint) stopping.abort();
      stopping.signal.throwIfAborted();
      return Math.abs(Math.sin(1e3 * weights[0]!));
    };
    const context = {
      name: "toy",
      runtime,
      checkpoint,
      batch,
      accuracyOf,
      signal: stopping.signal,
      report: async () => undefined,
    };
    return trainNetwork(context, settings);
  };
  const train = async (key: string, changes: Partial<RunSettings> = {}) => (await run(key, changes)).state;
  const stepSaved = async (key: string) => (await openCheckpoint(objects, key, identity)).state?.step;
  return { run, train, stepSaved, objects };
}

test("the loss falls on classes that differ in brightness", async (t) => {
  const { train } = await startTrainer(t);
  const { losses, step } = await train("run", { iterations: 150 });
  assert.deepEqual([step, losses.length], [150, 3]);
  assert.ok(losses[2]! < 0.4 * losses[0]!, losses.join());
});

for (const stops of [[0], [1], [29], [39], [40], [49], [50], [51], [59], [3, 4, 20, 55]]) {
  test(`interrupted at step ${stops.join(", ")}, a run comes to the bits of one that was not`, async (t) => {
    const { run } = await startTrainer(t);
    const { state, weights } = await run("whole");
    for (const stopAt of stops) await assert.rejects(run("interrupted", {}, { stopAt }), { name: "AbortError" });
    const resumed = await run("interrupted");
    assert.deepEqual(resumed.state, state);
    assert.deepEqual(resumed.weights, weights);
  });
}

test("killed between checkpoints, before, within and after a point of the curve, a run comes to the same bits", async (t) => {
  const { run } = await startTrainer(t);
  const long = { iterations: 260, averagedSteps: 30 };
  const { state, weights } = await run("whole", long);
  assert.equal(state.accuracies.length, 1);
  for (const [stopAt, killedAt] of [
    [10, 50],
    [235, 245],
    [248, 255],
  ]) {
    await assert.rejects(run("killed", long, { stopAt: stopAt! }), { name: "AbortError" });
    await assert.rejects(run("killed", long, { killedAt: killedAt! }), { message: "killed" });
  }
  const resumed = await run("killed", long);
  assert.deepEqual(resumed.state, state);
  assert.deepEqual(resumed.weights, weights);
});

test("the model is the mean of the weights of the last steps, and averaging changes no step", async (t) => {
  const { run } = await startTrainer(t);
  const constant = { rateSchedule: "constant" } as const; // a cosine of other lengths has other steps
  const after = async (iterations: number) =>
    (await run(`to-${iterations}`, { iterations, ...constant, averagedSteps: 0 })).weights;
  const last = [await after(58), await after(59), await after(60)];
  const { state, weights } = await run("averaged", { ...constant, averagedSteps: 3 });
  assert.deepEqual(state.parameters, last[2]);
  weights.forEach((weight, i) => {
    assert.equal(weight, Math.fround((last[0]![i]! + last[1]![i]! + last[2]![i]!) / 3));
  });
  const one = await run("one", { ...constant, averagedSteps: 1 });
  assert.deepEqual(one.weights, last[2]);
  const [all, more] = [
    await run("all", { ...constant, averagedSteps: 60 }),
    await run("more", { ...constant, averagedSteps: 1_000 }),
  ];
  assert.deepEqual(all.weights, more.weights);
  assert.notDeepEqual(all.weights, weights);
});

test("given back while a point of the curve is measured, a run loses no step and measures it again", async (t) => {
  const { run, stepSaved } = await startTrainer(t);
  const long = { iterations: 500 };
  const { state, weights } = await run("whole", long);
  assert.equal(state.accuracies.length, 2);
  for (const point of [1, 2]) {
    await assert.rejects(run("given-back", long, { stopInPoint: point }), { name: "AbortError" });
    assert.equal(await stepSaved("given-back"), 250 * point);
  }
  const resumed = await run("given-back", long);
  assert.deepEqual(resumed.state, state);
  assert.deepEqual(resumed.weights, weights);
});

test("the last step is saved: what comes after it may be interrupted too", async (t) => {
  const { run, stepSaved } = await startTrainer(t);
  await run("whole");
  assert.equal(await stepSaved("whole"), 60);
});

test("a cancel does not wait for a step that takes seconds", async (t) => {
  const { run } = await startTrainer(t);
  const wide = Array.from({ length: 8 }, () => ({ type: "conv" as const, kernelPx: 1, channels: 512 }));
  const layers = [...TINY_NETWORK.layers, ...wide, { type: "conv" as const, kernelPx: 1, channels: 3 }];
  const slow = { network: parseNetwork({ ...TINY_NETWORK, layers }), batchSize: 4_096, averagedSteps: 0 };
  let abortedMs = 0;
  const onAbort = () => {
    abortedMs = performance.now();
  };
  const abortReason = new JobCancelled();
  await assert.rejects(run("slow", slow, { stopAt: 1, onAbort, abortReason }), { name: "JobCancelled" });
  const waitedMs = performance.now() - abortedMs;
  assert.ok(waitedMs < 1_000, `waited ${waitedMs} ms`);
});

test("another seed trains another network", async (t) => {
  const { train } = await startTrainer(t);
  assert.notDeepEqual((await train("one")).parameters, (await train("two", { seed: 2 })).parameters);
});

test("a loss that is no number ends the training with what to do, and is not saved", async (t) => {
  const { train, objects } = await startTrainer(t);
  await assert.rejects(train("wild", { learningRate: 1e30 }), {
    kind: "failedPrecondition",
    reason: "TRAINING_DIVERGED",
    message: /training toy: the loss of step \d+ .* a learning rate below 1e\+30/,
  });
  assert.equal(await objects.head("wild"), undefined);
});

test("last weights that are no numbers are no network, though no loss has told of them", async (t) => {
  const { train } = await startTrainer(t);
  const ended = train("last", { learningRate: 1e39, iterations: 1 }); // beyond float32
  await assert.rejects(ended, { reason: "TRAINING_DIVERGED", message: /training toy: its last weights/ });
});
