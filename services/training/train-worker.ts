/** @file Trains one network: data from the store, the step loop, then model, manifest and record into the store. */
import { DomainError } from "../lib/errors.ts";
import { patchGraph } from "../lib/network/patch-graph.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Model, type TrainingSettings } from "../lib/proto/radhical/v1/training.ts";
import { type BuildRecord_RecordFile, TrainTask } from "../lib/proto/radhical/v1/work.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { sha256, shortId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import type { UnitContext, UnitHandler } from "../lib/service/jobs/worker.ts";
import { createBatches } from "./batches.ts";
import { checkpointKey, openCheckpoint } from "./checkpoint.ts";
import { classWeights, countClasses, rareClasses } from "./class-weights.ts";
import { buildManifest } from "./manifest.ts";
import { storeModel } from "./models.ts";
import { accuracy, confusionMatrix } from "./test-accuracy.ts";
import { LEVEL_TOPIC, networkOf, trainTaskId } from "./train.ts";
import { CURVE_STEPS, type TrainedNetwork, trainNetwork } from "./training-run.ts";

export interface TrainWorkerContext {
  readonly objects: ObjectStore;
  readonly workers: number;
  runtime(): Promise<Runtime>;
}

/** Returns the worker of train jobs: as many networks at a time as the runtime has workers. */
export const trainWorker = (ctx: TrainWorkerContext): UnitHandler<TrainTask> => ({
  topics: [LEVEL_TOPIC],
  members: ctx.workers,
  codec: TrainTask,
  handle: async (task, unit) => {
    const { data, settings } = task;
    if (!data?.train || !data.test || !settings)
      throw new DomainError("dataLoss", "TASK_INCOMPLETE", "Cannot train from a task without data or settings");
    const runtime = await ctx.runtime();
    const network = networkOf(settings);
    const train = await readRecords(ctx.objects, data.train);
    const channelMeans = Float32Array.from(data.channelMeans);
    const trained = await runSteps(ctx, task, unit, train, channelMeans, settings);
    const model = patchGraph(network, trained.state.parameters, channelMeans, identityOf(task));
    const test = await readRecords(ctx.objects, data.test);
    const session = await runtime.session(model);
    const confusion = await confusionMatrix(session, test.bytes, test.classOfLabel, unit).finally(() =>
      session.release(),
    );
    const document = Model.fromPartial({
      modelId: shortId(sha256(model)),
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
      curveSteps: CURVE_STEPS,
    });
    await storeModel(ctx.objects, document, manifest, model);
    return encode(Model, { ...document, stepsPerSecond: trained.stepsPerSecond });
  },
});

/** What a model is for is in its file, so that its id, a hash of the file, tells models of the same weights apart. */
const identityOf = ({ fold, level, reduction, mpp }: TrainTask): Record<string, string> => ({
  "radhical.fold": String(fold),
  "radhical.level": String(level),
  "radhical.reduction": String(reduction),
  "radhical.mpp": String(mpp),
});

interface Records {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly classOfLabel: readonly number[];
  /** Patches of each of the network's classes. */
  readonly counts: readonly bigint[];
}

async function readRecords(objects: ObjectStore, { key, database }: BuildRecord_RecordFile): Promise<Records> {
  const classOfLabel = database?.classOfLabel ?? [];
  return {
    bytes: await objects.get(key),
    sha256: database?.recordsSha256 ?? "",
    classOfLabel,
    counts: countClasses(database?.byLabel ?? [], classOfLabel),
  };
}

async function runSteps(
  ctx: TrainWorkerContext,
  task: TrainTask,
  unit: UnitContext,
  train: Records,
  channelMeans: Float32Array,
  settings: TrainingSettings,
): Promise<TrainedNetwork> {
  const runtime = await ctx.runtime();
  const key = checkpointKey(trainTaskId(task));
  const checkpoint = await openCheckpoint(ctx.objects, key, {
    dataSha256: train.sha256,
    computeClass: runtime.computeClass,
  });
  const { iterations, batchSize, learningRate, initialAccumulator, weightDecay } = settings;
  const seed = `${settings.seed}-${task.fold}-${task.level}`;
  return trainNetwork(
    {
      runtime,
      checkpoint,
      batch: createBatches({ records: train.bytes, classOfLabel: train.classOfLabel, batchSize, seed }),
      signal: unit.signal,
      report: ({ step, losses }, stepsPerSecond, saved) => {
        const loss = losses.at(-1)?.toFixed(3) ?? "…";
        const detail = `fold ${task.fold} level ${task.level}: loss ${loss}, ${stepsPerSecond.toFixed(1)} steps/s`;
        return unit.progress({ amount: step, detail, saved });
      },
    },
    {
      network: networkOf(settings),
      iterations,
      batchSize,
      learningRate,
      initialAccumulator,
      weightDecay,
      seed: Number(settings.seed),
      classWeights: classWeights(train.counts),
      channelMeans,
    },
  );
}
