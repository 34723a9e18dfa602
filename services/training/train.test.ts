/** @file What train jobs refuse before any work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_NETWORK, halved, parseNetwork } from "../lib/network/network-description.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Optimizer, RateSchedule, TrainingSettings, TrainRequest } from "../lib/proto/radhical/v1/training.ts";
import { DatabaseSet, type PlannedUnit, TrainTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { DATABASE_SET } from "../lib/service/document-kinds.ts";
import { createDocument } from "../lib/service/documents.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { TINY_NETWORK } from "./toy-data.fixture.ts";
import { networkOf, trainJobs } from "./train.ts";

test("settings that cannot train are refused together, each by its name and value", async (t) => {
  const { plan } = trainJobs({ objects: await temporaryStore(t) });
  const settings = TrainingSettings.fromPartial({
    iterations: 0,
    batchSize: 5_000,
    learningRate: Number.NaN,
    initialAccumulator: -1,
    weightDecay: -2,
    stainJitter: 1.5,
    averagedSteps: -3,
    members: 9,
    seed: 2n ** 53n,
  });
  await assert.rejects(plan(TrainRequest.fromPartial({ settings })), {
    kind: "invalidArgument",
    reason: "TRAINING_INVALID",
    message:
      "Cannot train: iterations is 0, at least 1 is needed; batch_size is 5000, 1 to 4096 is possible; " +
      "learning_rate is NaN, it must be above 0; initial_accumulator is -1, it must not be negative; " +
      "weight_decay is -2, it must not be negative; stain_jitter is 1.5, 0 to 1 is possible; " +
      "averaged_steps is -3, it must not be negative; members is 9, 0 to 8 is possible; seed is 9007199254740992, 0 to 9007199254740983 is possible; optimizer is none that is known here; " +
      "rate_schedule is none that is known here",
  });
});

test("a network of which so many members are more than a model may hold is refused before anything is trained", async (t) => {
  const { plan } = trainJobs({ objects: await temporaryStore(t) });
  const wide = parseNetwork({
    ...TINY_NETWORK,
    layers: [
      { type: "conv", kernelPx: 5, channels: 2_048 },
      { type: "maxPool", sizePx: 7 },
      { type: "conv", kernelPx: 4, channels: 900 },
      { type: "conv", kernelPx: 1, channels: 3 },
    ],
  });
  const settings = TrainingSettings.fromPartial({ ...SHORTEST, members: 2, network: JSON.stringify(wide) });
  await assert.rejects(plan(TrainRequest.fromPartial({ settings })), {
    reason: "NETWORK_INVALID",
    message: /2 members .* 29\d{6} parameters.* \(settings\.network\)/,
  });
});

/** What a training that may be planned must have. */
const SHORTEST = {
  iterations: 1,
  batchSize: 1,
  learningRate: 0.1,
  optimizer: Optimizer.OPTIMIZER_ADAM,
  rateSchedule: RateSchedule.RATE_SCHEDULE_CONSTANT,
} as const;

/** Plans the training of a small database set of levels 1 and 2. */
async function planTwoLevels(objects: ObjectStore, changes: Partial<TrainingSettings>) {
  const databaseSetId = contentId("databases");
  const records = [1, 2].map((level) => ({ train: { database: { fold: 1, level, patches: 10n, byLabel: [5n, 5n] } } }));
  const set = DatabaseSet.fromPartial({ records, reductions: [1, 2], mpp: 0.25 });
  await createDocument(objects, DATABASE_SET, databaseSetId, set);
  const settings = TrainingSettings.fromPartial({ ...SHORTEST, ...changes });
  const plan = await trainJobs({ objects }).plan(TrainRequest.fromPartial({ databaseSetId, settings }));
  return { ...plan, units: [...plan.units] };
}

const taskOf = ({ message }: PlannedUnit): TrainTask => TrainTask.decode(message);

test("a level's members are trainings from one seed on, joined when all are done; more of them leave those as they are", async (t) => {
  const objects = await temporaryStore(t);
  const settings = { seed: 7n, iterations: 30 };
  const [one, two, three] = await Promise.all(
    [1, 2, 3].map((members) => planTwoLevels(objects, { ...settings, members })),
  );
  assert.deepEqual(one, await planTwoLevels(objects, settings));
  for (const level of [0, 1]) {
    const [first, second, joined] = two!.units.slice(3 * level);
    assert.deepEqual(taskOf(first!), taskOf(one!.units[level]!));
    assert.deepEqual(taskOf(second!), {
      ...taskOf(first!),
      settings: { ...taskOf(first!).settings, seed: 8n },
    });
    const outputs = [first!.outputKey, second!.outputKey];
    assert.deepEqual(
      three!.units.slice(4 * level, 4 * level + 2).map(({ outputKey }) => outputKey),
      outputs,
    );
    assert.deepEqual(taskOf(joined!), {
      ...taskOf(first!),
      settings: { ...taskOf(first!).settings, members: 2 },
      memberRecords: outputs,
    });
    assert.deepEqual([first!.group, second!.group, joined!.group], [joined!.after, joined!.after, ""]);
    assert.equal(one!.units[level]!.group, "");
  }
  assert.notEqual(two!.units[2]!.after, two!.units[5]!.after);
  assert.deepEqual(
    two!.units.map(({ amount }) => amount),
    [30n, 30n, 0n, 30n, 30n, 0n],
  );
  assert.equal(new Set([one, two, three].map((plan) => plan!.resultId)).size, 3);
});

test("levels above 1 have a network of their own where one is given, and level 1's task does not depend on it", async (t) => {
  const objects = await temporaryStore(t);
  const tasks = async (coarseNetwork: string) => {
    const { units } = await planTwoLevels(objects, { coarseNetwork });
    return units.map(taskOf);
  };
  const half = halved(DEFAULT_NETWORK);
  const [alike, own] = [await tasks(""), await tasks(JSON.stringify(half))];
  assert.deepEqual(own[0], alike[0]);
  assert.deepEqual(
    own.map(({ settings }) => networkOf({ network: settings?.network ?? "" })),
    [DEFAULT_NETWORK, half],
  );
  assert.deepEqual(networkOf({ network: alike[1]?.settings?.network ?? "" }), DEFAULT_NETWORK);
  await assert.rejects(tasks("{}"), { reason: "NETWORK_INVALID", message: /\(settings\.coarse_network\)$/ });
});

test("a training without a nucleus among its patches, or with nothing else, is refused before any step", async (t) => {
  const objects = await temporaryStore(t);
  const settings = TrainingSettings.fromPartial(SHORTEST);
  const planWith = async (byLabel: Record<1 | 2, bigint[]>): Promise<unknown> => {
    const databaseSetId = contentId("databases", ...byLabel[1].map(String));
    const records = ([1, 2] as const).map((level) => ({
      train: { database: { fold: 3, level, patches: 300n, byLabel: byLabel[level] } },
    }));
    const set = DatabaseSet.fromPartial({ records, reductions: [1, 2], mpp: 0.25 });
    await createDocument(objects, DATABASE_SET, databaseSetId, set);
    return trainJobs({ objects }).plan(TrainRequest.fromPartial({ databaseSetId, settings }));
  };
  await assert.rejects(planWith({ 1: [300n, 0n], 2: [300n, 0n, 0n] }), {
    kind: "invalidArgument",
    reason: "NO_NUCLEI",
    message: /fold 3 level 1: none of the 300 patches .* check the masks of the cohort/,
  });
  await assert.rejects(planWith({ 1: [0n, 300n], 2: [0n, 0n, 300n] }), {
    kind: "invalidArgument",
    reason: "NO_BACKGROUND",
    message: /fold 3 level 1: none of the 300 patches .* outside a nucleus; check that its masks are 0/,
  });
  await planWith({ 1: [299n, 1n], 2: [0n, 0n, 300n] });
});
