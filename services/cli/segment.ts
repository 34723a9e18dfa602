/** @file `radhical segment`: trained models on new images. */
import { invalid } from "../lib/errors.ts";
import { pickCleaning } from "../lib/method/cleaning.ts";
import { resolutionOf } from "../lib/method/resolution.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { type Cascade, SegmentationMode, SubmitRequest } from "../lib/proto/radhical/v1/segmentation.ts";
import type { Model } from "../lib/proto/radhical/v1/training.ts";
import { planCascade } from "../lib/service/cascade-plan.ts";
import { runJob } from "./follow-job.ts";
import { untilInterrupted } from "./interrupt.ts";
import { importModels, levelThresholds, type ModelFolder, readModelFolder } from "./model-folder.ts";
import type { SegmentOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { findFiles, stemOf } from "./pair-images.ts";
import { checkResultsFit, isResult, receiveResults } from "./result-files.ts";
import { levelModels } from "./run-steps.ts";
import { openServicesOf, type Services } from "./services.ts";
import { importEach, importFile, openOut } from "./transfer.ts";

const MODES = {
  cascade: SegmentationMode.SEGMENTATION_MODE_CASCADE,
  dense: SegmentationMode.SEGMENTATION_MODE_DENSE,
  naive: SegmentationMode.SEGMENTATION_MODE_NAIVE,
} as const;

/** Returns the images by stem. Results of earlier segmentations, which may lie among them, are none. Throws FILES_NOT_FOUND, NAME_COLLISION. */
async function findImages(patterns: readonly string[], output: Output): Promise<Map<string, string>> {
  const paths = new Map<string, string>();
  for (const pattern of patterns) {
    const found = await findFiles(pattern, "image");
    const images = await leaveOutResults(found);
    if (images.length === 0) {
      const message = `Cannot use image "${pattern}": it stands for nothing but results of earlier segmentations`;
      throw invalid("FILES_NOT_FOUND", message);
    }
    if (images.length < found.length)
      output.note(
        `${found.length - images.length} files of "${pattern}" are results of earlier segmentations and are left out`,
      );
    for (const path of images) {
      const other = paths.get(stemOf(path));
      if (other !== undefined && other !== path) {
        throw invalid(
          "NAME_COLLISION",
          `Cannot write results of "${other}" and "${path}" to one folder: both are called "${stemOf(path)}"; segment them into two`,
        );
      }
      paths.set(stemOf(path), path);
    }
  }
  return paths;
}

const leaveOutResults = async (paths: readonly string[]): Promise<string[]> => {
  const images: string[] = [];
  for (const path of paths) if (!(await isResult(path))) images.push(path);
  return images;
};

/** Segments images and writes `<image>_prob.png`, `_mask.png` and `_level.png` to the output folder. */
export async function segment(
  options: SegmentOptions,
  output: Output,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const paths = await findImages(options.images, output);
  const folder = await readModelFolder(options.models);
  if (folder.otherFolds.length > 0)
    output.note(`using ${folder.fold}; name a folder below "${options.models}" for ${folder.otherFolds.join(", ")}`);
  await openOut(options.out);
  await checkResultsFit(options.out, new Set(paths.keys()));
  const services = await openServicesOf(options, output, env);
  try {
    await untilInterrupted(segmentFiles(services, options, output, paths, folder));
  } finally {
    await services.close();
  }
}

async function segmentFiles(
  services: Services,
  options: SegmentOptions,
  output: Output,
  paths: ReadonlyMap<string, string>,
  folder: ModelFolder,
): Promise<void> {
  const models = await importModels(services, folder);
  const cascade = planFor(options, models, folder);
  planCascade(cascade); // as the service will: what it refuses is known before images are sent
  const imported = await importEach(output, [...paths], async ([stem, path]) => {
    const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    return { stem, imageId };
  });
  const stems = new Map<string, string>();
  for (const { stem, imageId } of imported) {
    const other = stems.get(imageId);
    if (other !== undefined)
      throw invalid(
        "SAME_IMAGE_TWICE",
        `Cannot segment "${other}" and "${stem}" apart: they are the same image; leave one out`,
      );
    stems.set(imageId, stem);
  }
  const imageIds = [...stems.keys()];
  const segmentationId = await runJob(services, output, {
    service: "segmentation",
    what: "segmentation",
    codec: SubmitRequest,
    request: { requestId: "", imageIds, cascade },
    submit: (request) => services.segmentation.submit(request),
  });
  await receiveResults(services, segmentationId, options.out, (id) => stems.get(id) ?? id);
  const { images } = await services.segmentation.getResult({ segmentationId });
  const results = images.map(({ imageId, width, height, computeFraction, seconds, levels, mpp, mppAssumed }) => ({
    image: stems.get(imageId) ?? imageId,
    mpp,
    mppAssumed,
    width,
    height,
    computeFraction,
    seconds,
    perLevel: levels.map(({ level, computed, accepted, rejected }) => ({
      level,
      computed: Number(computed),
      accepted: Number(accepted),
      rejected: Number(rejected),
    })),
  }));
  if (options.mpp === undefined) {
    output.note(`resolution taken as the models', ${models[0]?.mpp} um/px; give --mpp if the images have another`);
  }
  const lines = results.map(
    ({ image, computeFraction, seconds }) =>
      `${image}: ${(100 * computeFraction).toFixed(1)} % of the pixels computed, ${seconds.toFixed(1)} s`,
  );
  output.result([...lines, `results: ${options.out}`].join("\n"), results);
}

/** Returns what to ask for: the models of a run with its thresholds for where the cascade ends. */
export function planFor(
  { mode, tile, mpp }: Pick<SegmentOptions, "mode" | "tile" | "mpp">,
  models: readonly Model[],
  { thresholds }: ModelFolder,
): Cascade {
  const modelMpp = models[0]?.mpp ?? 0;
  const reductions = models.map(({ reduction }) => reduction);
  const { finest } = resolutionOf(mpp ?? modelMpp, modelMpp, reductions);
  // Level 1 alone has a threshold of its own; a coarser level alone ends by the one that a cascade ending there would.
  const isDenseAtOne = mode !== "cascade" && finest === 1;
  const chosen = isDenseAtOne ? thresholds.dense : thresholds.endingAt[finest - 1];
  if (!chosen) {
    const message = `Cannot find thresholds for ending at level ${finest}; run the training run to its end`;
    throw invalid("THRESHOLDS_INVALID", message);
  }
  return {
    models: levelModels(models),
    thresholds: levelThresholds(chosen),
    mode: MODES[mode],
    tile: tile ?? 0,
    ...pickCleaning(thresholds),
    imageMpp: mpp ?? 0,
  };
}
