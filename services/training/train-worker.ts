/** @file Trains one network: data from the store, the step loop, then model, manifest and record into the store. */
import { DomainError } from "../lib/errors.ts";
import { patchGraph } from "../lib/network/patch-graph.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Model, TrainingSettings } from "../lib/proto/radhical/v1/training.ts";
import { type BuildRecord_RecordFile, TrainTask } from "../lib/proto/radhical/v1/work.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { contentId, sha256, shortId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import { formatDuration } from "../lib/service/duration.ts";
import type { UnitContext, UnitHandler } from "../lib/service/jobs/worker.ts";
import type { Logger } from "../lib/service/log.ts";
import { TRAIN_TOPIC } from "../lib/service/topics.ts";
import { openBatchFeed } from "./batch-feed.ts";
import { type CheckpointFile, checkpointKey, openCheckpoint, otherClasses, type RunState } from "./checkpoint.ts";
import { classWeights, countClasses, rareClasses } from "./class-weights.ts";
import { ACCURACY_PATCHES, latestLoss } from "./curve.ts";
import { buildManifest } from "./manifest.ts";
import { purposeOf, storeModel } from "./models.ts";
import { accuracy, confusionMatrix, evenSample } from "./test-accuracy.ts";
import { networkOf, rulesOf, trainTaskId } from "./train.ts";
import { type TrainedNetwork, trainNetwork } from "./training-run.ts";

export interface TrainWorkerContext {
  readonly objects: ObjectStore;
  readonly workers: number;
  readonly log: Pick<Logger, "info" | "warn">;
  runtime(): Promise<Runtime>;
}

/** Returns the worker of train jobs: as many networks at a time as the runtime has workers. */
export const trainWorker = (ctx: TrainWorkerContext): UnitHandler<TrainTask> => ({
  topics: [TRAIN_TOPIC],
  members: ctx.workers,
  codec: TrainTask,
  place: ({ fold, level }) => ({ fold, level }),
  handle: async (task, unit) => {
    const { data, settings } = task;
    if (!data?.train || !data.test || !settings)
      throw new DomainError("dataLoss", "TASK_INCOMPLETE", "Cannot train from a task without data or settings");
    const runtime = await ctx.runtime();
    const network = networkOf(settings);
    const channelMeans = Float32Array.from(data.channelMeans);
    const modelOf = (weights: Float32Array): Uint8Array =>
      patchGraph(network, weights, channelMeans, identityOf(task, settings));
    const confusionOf = async (model: Uint8Array, { bytes, classOfLabel }: Records): Promise<number[]> => {
      const session = await runtime.session(model);
      return confusionMatrix(session, bytes, classOfLabel, unit).finally(() => session.release());
    };
    const test = await readRecords(ctx.objects, data.test, unit.progress);
    const sample = { ...test, bytes: evenSample(test.bytes, ACCURACY_PATCHES) };
    const accuracyOf = async (weights: Float32Array): Promise<number> =>
      accuracy(await confusionOf(modelOf(weights), sample));
    const train = await readRecords(ctx.objects, data.train, unit.progress);
    const trained = await runSteps(ctx, task, unit, { train, channelMeans, settings, accuracyOf });
    const model = modelOf(trained.weights);
    const confusion = await confusionOf(model, test);
    const document = Model.fromPartial({
      modelId: shortId(sha256(model)),
      splitId: task.splitId,
      fold: task.fold,
      level: task.level,
      reduction: task.reduction,
      mpp: task.mpp,
      iterations: settings.iterations,
      testAccuracy: accuracy(confusion),
      confusion: confusion.map(BigInt),
      rareClasses: rareClasses(train.counts, train.classOfLabel),
    });
    const manifest = buildManifest({
      model: document,
      settings,
      network,
      data,
      computeClass: runtime.computeClass,
      losses: trained.state.losses,
      accuracies: trained.state.accuracies,
    });
    await storeModel(ctx.objects, document, manifest, model);
    return encode(Model, { ...document, stepsPerSecond: trained.stepsPerSecond });
  },
});

/** What a model is for and of is in its file, so that its id, a hash of the file, tells models of the same weights apart: each has its own manifest. */
const identityOf = (task: TrainTask, settings: TrainingSettings): Record<string, string> => ({
  ...purposeOf(task),
  "radhical.settings": contentId(encode(TrainingSettings, settings)),
});

interface Records {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly classOfLabel: readonly number[];
  /** Patches of each of the network's classes. */
  readonly counts: readonly bigint[];
}

async function readRecords(
  objects: ObjectStore,
  { key, database }: BuildRecord_RecordFile,
  progress: () => Promise<void>,
): Promise<Records> {
  const classOfLabel = database?.classOfLabel ?? [];
  return {
    bytes: await readWhole(objects, key, progress),
    sha256: database?.recordsSha256 ?? "",
    classOfLabel,
    counts: countClasses(database?.byLabel ?? [], classOfLabel),
  };
}

/** Returns an object's bytes, piece by piece: gigabytes come at the store's pace, and a worker that says nothing is taken for dead. */
async function readWhole(objects: ObjectStore, key: string, progress: () => Promise<void>): Promise<Uint8Array> {
  const { size = 0 } = (await objects.head(key)) ?? {};
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const piece of (await objects.stream(key)) as AsyncIterable<Uint8Array>) {
    bytes.set(piece, at);
    at += piece.length;
    await progress();
  }
  return bytes;
}

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
  const { fold, level } = task;
  ctx.log.info({ fold, level, step: file.state?.step ?? 0, computeClass }, "training begins");
  const others = await otherClasses(ctx.objects, taskId, computeClass);
  if (others.length > 0)
    ctx.log.warn(
      { fold, level, computeClass, others },
      "this training was begun elsewhere and goes on only there; here it has its own steps",
    );
  const checkpoint: CheckpointFile = {
    state: file.state,
    save: async (state) => {
      await file.save(state);
      if (unit.signal.aborted) ctx.log.info({ fold, level, step: state.step }, "training saved and given back");
    },
  };
  const { iterations, batchSize, learningRate, initialAccumulator, weightDecay, stainJitter, averagedSteps } = settings;
  const { optimizer, rateSchedule } = rulesOf(settings);
  const seed = `${settings.seed}-${fold}-${level}`;
  const { bytes: records, classOfLabel } = train;
  const feed = openBatchFeed({ records, classOfLabel, batchSize, seed, stainJitter }, iterations);
  const context = {
    runtime,
    checkpoint,
    batch: feed.batch,
    accuracyOf,
    signal: unit.signal,
    report: (state: RunState, stepsPerSecond: number, saved: boolean) => {
      const detail = `fold ${fold} level ${level}: ${progressOf(state, stepsPerSecond, iterations)}`;
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
