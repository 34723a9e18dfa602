/** @file Trains one network, or joins some: data from the store, the step loop, then model, manifest and record into the store. */
import { patchGraph } from "../lib/network/patch-graph.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { TrainingSettings } from "../lib/proto/radhical/v1/training.ts";
import { TrainTask } from "../lib/proto/radhical/v1/work.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { formatDuration } from "../lib/service/duration.ts";
import type { UnitContext, UnitHandler } from "../lib/service/jobs/worker.ts";
import type { Logger } from "../lib/service/log.ts";
import { TRAIN_TOPIC } from "../lib/service/topics.ts";
import { openBatchFeed } from "./batch-feed.ts";
import { type CheckpointFile, checkpointKey, openCheckpoint, otherClasses, type RunState } from "./checkpoint.ts";
import { classWeights } from "./class-weights.ts";
import { ACCURACY_PATCHES, latestLoss } from "./curve.ts";
import { joinUnit } from "./join.ts";
import { confusionOf, keepModel, type MakingContext, partsOf } from "./made-model.ts";
import { curvesOf } from "./manifest.ts";
import { accuracy, evenSample } from "./test-accuracy.ts";
import { networkOf, rulesOf, trainTaskId } from "./train.ts";
import { createRecordReader, type Records } from "./training-records.ts";
import { type TrainedNetwork, trainNetwork } from "./training-run.ts";

export interface TrainWorkerContext {
  readonly objects: ObjectStore;
  readonly workers: number;
  readonly log: Pick<Logger, "info" | "warn">;
  runtime(): Promise<Runtime>;
}

/** What a unit is trained with. */
interface TrainingContext extends TrainWorkerContext, MakingContext {}

/** Returns the worker of train jobs: as many networks at a time as the runtime has workers. */
export const trainWorker = (worker: TrainWorkerContext): UnitHandler<TrainTask> => {
  const ctx = { ...worker, readRecords: createRecordReader(worker.objects) };
  return {
    topics: [TRAIN_TOPIC],
    members: ctx.workers,
    codec: TrainTask,
    place: ({ fold, level }) => ({ fold, level }),
    handle: (task, unit) => (task.memberRecords.length > 0 ? joinUnit(ctx, task, unit) : trainUnit(ctx, task, unit)),
  };
};

async function trainUnit(ctx: TrainingContext, task: TrainTask, unit: UnitContext): Promise<Uint8Array> {
  const { data, settings } = partsOf(task);
  const runtime = await ctx.runtime();
  const network = networkOf(settings);
  const channelMeans = Float32Array.from(data.channelMeans);
  const sample = sampleOf(await ctx.readRecords(data.test, unit.progress));
  const accuracyOf = async (weights: Float32Array): Promise<number> =>
    accuracy(await confusionOf(runtime, patchGraph({ network, members: [weights], channelMeans }), sample, unit));
  const train = await ctx.readRecords(data.train, unit.progress);
  const trained = await runSteps(ctx, task, unit, { train, channelMeans, settings, accuracyOf });
  const { losses, accuracies } = trained.state;
  return keepModel(ctx, task, unit, {
    contents: { network, members: [trained.weights], channelMeans },
    story: curvesOf(losses, accuracies),
    stepsPerSecond: trained.stepsPerSecond,
  });
}

/** Some patches, for the curve: all of them need not lie in memory for the whole training. */
const sampleOf = (test: Records): Records => ({ ...test, bytes: evenSample(test.bytes, ACCURACY_PATCHES) });

interface RunParts {
  readonly train: Records;
  readonly channelMeans: Float32Array;
  readonly settings: TrainingSettings;
  readonly accuracyOf: (weights: Float32Array) => Promise<number>;
}

async function runSteps(
  ctx: TrainWorkerContext,
  task: TrainTask,
  unit: UnitContext,
  { train, channelMeans, settings, accuracyOf }: RunParts,
): Promise<TrainedNetwork> {
  const runtime = await ctx.runtime();
  const { computeClass } = runtime;
  const taskId = trainTaskId(task);
  const file = await openCheckpoint(ctx.objects, checkpointKey(taskId, computeClass), {
    dataSha256: train.sha256,
    computeClass,
  });
  const place = { fold: task.fold, level: task.level, seed: Number(settings.seed) };
  const name = `fold ${place.fold} level ${place.level}, seed ${place.seed}`;
  ctx.log.info({ ...place, step: file.state?.step ?? 0, computeClass }, "training begins");
  const others = await otherClasses(ctx.objects, taskId, computeClass);
  if (others.length > 0)
    ctx.log.warn(
      { ...place, computeClass, others },
      "this training was begun elsewhere and goes on only there; here it has its own steps",
    );
  const checkpoint: CheckpointFile = {
    state: file.state,
    save: async (state) => {
      await file.save(state);
      if (unit.signal.aborted) ctx.log.info({ ...place, step: state.step }, "training saved and given back");
    },
  };
  const { iterations, batchSize, learningRate, initialAccumulator, weightDecay, stainJitter, averagedSteps } = settings;
  const { optimizer, rateSchedule } = rulesOf(settings);
  const seed = `${settings.seed}-${task.fold}-${task.level}`;
  const { bytes: records, classOfLabel } = train;
  const feed = openBatchFeed({ records, classOfLabel, batchSize, seed, stainJitter }, iterations);
  const context = {
    name,
    runtime,
    checkpoint,
    batch: feed.batch,
    accuracyOf,
    signal: unit.signal,
    report: (state: RunState, stepsPerSecond: number, saved: boolean) => {
      const detail = `${name}: ${progressOf(state, stepsPerSecond, iterations)}`;
      return unit.progress({ amount: state.step, detail, saved });
    },
  };
  return trainNetwork(context, {
    network: networkOf(settings),
    iterations,
    batchSize,
    learningRate,
    rateSchedule,
    optimizer,
    initialAccumulator,
    weightDecay,
    averagedSteps,
    seed: Number(settings.seed),
    classWeights: classWeights(train.counts),
    channelMeans,
  }).finally(() => feed.stop());
}

/** Returns how a run is doing, for people: "loss 0.412, accuracy 81.2 %, 7.9 steps/s, 11:54 left". */
function progressOf(state: RunState, stepsPerSecond: number, iterations: number): string {
  const latest = state.accuracies.at(-1);
  return [
    `loss ${latestLoss(state)?.toFixed(3) ?? "…"}`,
    ...(latest === undefined ? [] : [`accuracy ${(100 * latest).toFixed(1)} %`]),
    `${stepsPerSecond.toFixed(1)} steps/s`,
    ...(stepsPerSecond > 0 ? [`${formatDuration((iterations - state.step) / stepsPerSecond)} left`] : []),
  ].join(", ");
}
