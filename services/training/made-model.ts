/** @file What becomes of weights: the model's file, its grades on test patches, manifest and record. */
import { DomainError } from "../lib/errors.ts";
import type { ModelContents } from "../lib/network/model-contents.ts";
import { patchGraph } from "../lib/network/patch-graph.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Model, TrainingSettings } from "../lib/proto/radhical/v1/training.ts";
import type { BuildRecord, BuildRecord_RecordFile, TrainTask } from "../lib/proto/radhical/v1/work.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { contentId, sha256, shortId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import type { UnitContext } from "../lib/service/jobs/worker.ts";
import { countClasses, rareClasses } from "./class-weights.ts";
import { buildManifest, type TrainingStory } from "./manifest.ts";
import { purposeOf, storeModel } from "./models.ts";
import { accuracy, confusionMatrix } from "./test-accuracy.ts";
import type { ReadRecords, Records } from "./training-records.ts";

interface TaskParts {
  readonly data: BuildRecord & { readonly train: BuildRecord_RecordFile; readonly test: BuildRecord_RecordFile };
  readonly settings: TrainingSettings;
}

/** Returns what a task must have. Throws dataLoss TASK_INCOMPLETE. */
export function partsOf({ data, settings }: TrainTask): TaskParts {
  if (!data?.train || !data.test || !settings)
    throw new DomainError("dataLoss", "TASK_INCOMPLETE", "Cannot train from a task without data or settings");
  return { data: { ...data, train: data.train, test: data.test }, settings };
}

/** Returns a model's confusion matrix over records. */
export async function confusionOf(
  runtime: Runtime,
  model: Uint8Array,
  { bytes, classOfLabel }: Records,
  unit: UnitContext,
): Promise<number[]> {
  const session = await runtime.session(model);
  return confusionMatrix(session, bytes, classOfLabel, unit).finally(() => session.release());
}

/** What there is to keep. */
interface MadeModel {
  readonly contents: ModelContents;
  readonly story: TrainingStory;
  readonly stepsPerSecond: number;
}

/** What models are made with. */
export interface MakingContext {
  readonly objects: ObjectStore;
  readonly readRecords: ReadRecords;
  runtime(): Promise<Runtime>;
}

/** Grades the model of a task on the fold's test patches and stores it with its manifest; returns its record. */
export async function keepModel(
  ctx: MakingContext,
  task: TrainTask,
  unit: UnitContext,
  { contents, story, stepsPerSecond }: MadeModel,
): Promise<Uint8Array> {
  const { data, settings } = partsOf(task);
  const runtime = await ctx.runtime();
  const test = await ctx.readRecords(data.test, unit.progress);
  const onnx = patchGraph(contents, identityOf(task, settings));
  const confusion = await confusionOf(runtime, onnx, test, unit);
  const { classOfLabel = [], byLabel = [] } = data.train.database ?? {};
  const { splitId, fold, level, reduction, mpp } = task;
  const model = Model.fromPartial({
    modelId: shortId(sha256(onnx)),
    splitId,
    fold,
    level,
    reduction,
    mpp,
    iterations: settings.iterations,
    members: contents.members.length,
    testAccuracy: accuracy(confusion),
    confusion: confusion.map(BigInt),
    rareClasses: rareClasses(countClasses(byLabel, classOfLabel), classOfLabel),
  });
  const manifest = buildManifest({
    model,
    settings,
    network: contents.network,
    data,
    computeClass: runtime.computeClass,
    story,
  });
  await storeModel(ctx.objects, model, manifest, onnx);
  return encode(Model, { ...model, stepsPerSecond });
}

/** What a model is for and of is in its file, so that its id, a hash of the file, tells models of the same weights apart: each has its own manifest. */
const identityOf = (task: TrainTask, settings: TrainingSettings): Record<string, string> => ({
  ...purposeOf(task),
  "radhical.settings": contentId(encode(TrainingSettings, settings)),
});
