/** @file The seven steps, each a job and what it leaves in the user's folder. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../lib/errors.ts";
import type { Cleaning } from "../lib/method/cleaning.ts";
import { halved, type NetworkDescription } from "../lib/network/network-description.ts";
import { Annotation, BuildRequest, type Fold, ImportPurpose, SplitRequest } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractRequest, type GetStatisticsResponse } from "../lib/proto/radhical/v1/extraction.ts";
import { EvaluateRequest, type LevelModel } from "../lib/proto/radhical/v1/inference.ts";
import {
  type Model,
  Optimizer,
  RateSchedule,
  type TrainingSettings,
  TrainRequest,
} from "../lib/proto/radhical/v1/training.ts";
import { type GetTuningResponse, TuneRequest } from "../lib/proto/radhical/v1/tuning.ts";
import { MASK_KINDS } from "../lib/service/method-words.ts";
import { type CohortNames, type ImportedImage, namesCsv } from "./cohort-names.ts";
import { runJob } from "./follow-job.ts";
import { saveModels } from "./model-folder.ts";
import { countsOf, type RunOptions } from "./options.ts";
import type { Output } from "./output.ts";
import type { PairedImage } from "./pair-images.ts";
import type { Services } from "./services.ts";
import { importEach, importFile, inside, receiveFiles, receiveFolders, removeOthers, writeWhole } from "./transfer.ts";

const ANNOTATIONS = { sparse: Annotation.ANNOTATION_SPARSE, complete: Annotation.ANNOTATION_COMPLETE } as const;

export interface StepContext {
  readonly services: Services;
  readonly output: Output;
  readonly options: RunOptions;
  /** The description of level 1's network. */
  readonly network: NetworkDescription;
}

/** Imports images and masks. Two files of the same bytes are an error: no one can tell which patient they belong to. */
export async function importImages(
  { services, output }: StepContext,
  pairs: readonly PairedImage[],
): Promise<ImportedImage[]> {
  const imported = await importEach(output, pairs, async (pair) => {
    const image = await importFile(services, pair.imagePath, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const mask = await importFile(services, pair.maskPath, ImportPurpose.IMPORT_PURPOSE_MASK);
    if (image.width !== mask.width || image.height !== mask.height) {
      const sizes = `${image.width}x${image.height} and its mask "${pair.maskPath}" ${mask.width}x${mask.height}`;
      throw invalid(
        "SIZE_MISMATCH",
        `Cannot use "${pair.imagePath}": it is ${sizes}; a mask has a value for every pixel`,
      );
    }
    return { ...pair, imageId: image.imageId, maskId: mask.imageId };
  });
  const known = new Map<string, ImportedImage>();
  for (const image of imported) {
    const other = known.get(image.imageId);
    if (other)
      throw invalid(
        "SAME_IMAGE_TWICE",
        `Cannot use "${other.imagePath}" and "${image.imagePath}": they are the same image (patients "${other.patient}" and "${image.patient}"); remove one`,
      );
    known.set(image.imageId, image);
  }
  return imported;
}

/** Makes the cohort and draws its patches. */
export async function extractPatches(
  ctx: StepContext,
  images: readonly ImportedImage[],
  names: CohortNames,
): Promise<{ cohortId: string; patchSetId: string; statistics: GetStatisticsResponse }> {
  const { services, output, options } = ctx;
  const members = images.map(({ imageId, maskId, patient }) => ({
    imageId,
    maskId,
    patient: names.patients.indexOf(patient),
  }));
  const cohort = {
    members,
    annotation: ANNOTATIONS[options.annotation],
    maskKind: MASK_KINDS[options.masksAre],
    mpp: options.mpp,
  };
  const { cohortId } = await services.datasets.createCohort({ cohort });
  await writeWhole(join(options.out, "names.csv"), namesCsv(images));
  const sampling = {
    reductions: options.reductions,
    seed: BigInt(options.seed),
    ...countsOf(options),
  };
  const patchSetId = await runJob(services, output, {
    service: "extraction",
    what: "patches",
    codec: ExtractRequest,
    request: { requestId: "", cohortId, sampling },
    submit: (request) => services.extraction.extract(request),
  });
  const statistics = await services.extraction.getStatistics({ patchSetId });
  const { nuclei, binaryMasks, labelMasks } = statistics;
  output.note(`${nuclei} nuclei are annotated; ${binaryMasks} masks were read as binary, ${labelMasks} as labels`);
  return { cohortId, patchSetId, statistics };
}

/** Splits by patient and writes the lists. */
export async function splitCohort(
  ctx: StepContext,
  patchSetId: string,
  names: CohortNames,
): Promise<{ splitId: string; fold: Fold }> {
  const { services, output, options } = ctx;
  const { folds: count, out } = options;
  const splitId = await runJob(services, output, {
    service: "datasets",
    what: "lists",
    codec: SplitRequest,
    request: { requestId: "", patchSetId, folds: count, seed: BigInt(options.seed) },
    submit: (request) => services.datasets.split(request),
  });
  const lists = join(out, "lists");
  const received = await receiveFiles(services.datasets.fetchSplit({ splitId }), inside(lists));
  const { folds } = await services.datasets.describeSplit({ splitId });
  for (const { fold, train, test } of folds) {
    // In the order of the lists of patches: the first ten of a test list are what "the first ten parents" means.
    const lines = (ids: readonly string[]): string => ids.map((id) => `${names.stem(id)}\n`).join("");
    for (const [part, ids] of [
      ["train", train],
      ["test", test],
    ] as const) {
      const path = join(lists, `${part}_w32_parent_${fold}.txt`);
      await writeWhole(path, lines(ids));
      received.push(path);
    }
  }
  await removeOthers(lists, /^(train|test)_w32_(parent_)?\d+\.txt$/, received);
  await leaveOtherSplits(options.out, splitId);
  const fold = folds.find((candidate) => candidate.fold === options.fold);
  if (!fold) throw invalid("FOLD_UNKNOWN", `Cannot use fold ${options.fold}: the split has ${folds.length}`);
  return { splitId, fold };
}

/** Returns what the databases of a fold (a number, or a pattern) are called. */
const databasesOf = (fold: number | string): RegExp =>
  new RegExp(`^DB_(train|test|train_w32)_${fold}_\\d+(\\.binaryproto)?$`);

/**
 * Removes databases and models of every fold if they are of another split than the lists now are: a patient to test may have been one to
 * learn from there.
 */
async function leaveOtherSplits(out: string, splitId: string): Promise<void> {
  const note = join(out, "lists", "split.txt");
  const before = await readFile(note, "utf8").catch(() => undefined);
  if (before !== undefined && before.trim() !== splitId) {
    await removeOthers(join(out, "databases"), databasesOf("\\d+"), []);
    await removeOthers(join(out, "models"), /^fold-\d+$/, []);
  }
  await writeWhole(note, `${splitId}\n`);
}

/** Builds the databases of the fold. */
export async function buildDatabases(ctx: StepContext, splitId: string): Promise<string> {
  const { services, output, options } = ctx;
  const databaseSetId = await runJob(services, output, {
    service: "datasets",
    what: "databases",
    codec: BuildRequest,
    request: { requestId: "", splitId, folds: [options.fold] },
    submit: (request) => services.datasets.build(request),
  });
  const databases = join(options.out, "databases");
  const received = await receiveFolders(services.datasets.fetchDatabases({ databaseSetId }), databases);
  await removeOthers(databases, databasesOf(options.fold), received);
  return databaseSetId;
}

/** METHOD.md 4, but for what docs/accuracy.md measured to be better: Adam along a cosine instead of AdaGrad at a fixed rate, less decay, two networks a level. */
const trainingSettings = (
  { iterations, seed, stainJitter, averagedSteps, coarseNetworks, members }: RunOptions,
  network: NetworkDescription,
): TrainingSettings => ({
  iterations,
  batchSize: 128,
  learningRate: 0.002,
  rateSchedule: RateSchedule.RATE_SCHEDULE_COSINE,
  optimizer: Optimizer.OPTIMIZER_ADAM,
  initialAccumulator: 0,
  weightDecay: 0.0002,
  seed: BigInt(seed),
  network: JSON.stringify(network),
  coarseNetwork: coarseNetworks === "half" ? JSON.stringify(halved(network)) : "",
  stainJitter,
  averagedSteps,
  members,
});

/** Trains the networks of the fold. */
export async function trainModels(ctx: StepContext, databaseSetId: string): Promise<Model[]> {
  const { services, output, options, network } = ctx;
  const modelSetId = await runJob(services, output, {
    service: "training",
    what: "training",
    codec: TrainRequest,
    request: { requestId: "", databaseSetId, settings: trainingSettings(options, network) },
    submit: (request) => services.training.train(request),
  });
  const { models } = await services.training.listModels({ modelSetId });
  await saveModels(services, join(options.out, "models"), options.fold, models);
  return models;
}

/** Returns models as the levels of a cascade. */
export const levelModels = (models: readonly Model[]): LevelModel[] =>
  models.map(({ level, reduction, modelId, mpp }) => ({ level, reduction, modelId, mpp }));

/** Computes every level of the validation images in full. */
export async function evaluateValidation(
  { services, output }: StepContext,
  models: readonly Model[],
  imageIds: readonly string[],
): Promise<string> {
  return runJob(services, output, {
    service: "inference",
    what: "maps",
    codec: EvaluateRequest,
    request: { requestId: "", imageIds: [...imageIds], levels: levelModels(models), tile: 0 },
    submit: (request) => services.inference.evaluate(request),
  });
}

/** Returns what is done to a mask before it is a result. */
export const cleaningOf = ({ maxHole, opening, neck, minNucleus }: RunOptions): Cleaning => ({
  maxHolePx: maxHole,
  openingPx: opening,
  neckPx: neck,
  minNucleusPx: minNucleus,
});

function wishOf({ maxCompute, minScore }: RunOptions): TuneRequest["wish"] {
  if (maxCompute !== undefined) return { $case: "maxComputeFraction", value: maxCompute };
  return minScore === undefined ? undefined : { $case: "minScore", value: minScore };
}

/** What thresholds are chosen for and on. */
interface TuneInputs {
  readonly evaluationId: string;
  readonly cohortId: string;
  readonly splitId: string;
}

/** Returns the request for thresholds. */
const tuneRequest = (options: RunOptions, { evaluationId, cohortId, splitId }: TuneInputs): TuneRequest => ({
  requestId: "",
  evaluationId,
  cohortId,
  splitId,
  fold: options.fold,
  ...cleaningOf(options),
  withoutUpper: [],
  wish: wishOf(options),
});

/** Chooses thresholds on the validation images. */
export async function tuneThresholds(
  { services, output, options }: StepContext,
  inputs: TuneInputs,
): Promise<GetTuningResponse> {
  const tuningId = await runJob(services, output, {
    service: "tuning",
    what: "thresholds",
    codec: TuneRequest,
    request: tuneRequest(options, inputs),
    submit: (request) => services.tuning.tune(request),
  });
  return services.tuning.getTuning({ tuningId });
}
