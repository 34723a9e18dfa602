/** @file A cascade whose models were never trained, with thresholds that leave every level something to do, and what it gives. */
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { TestContext } from "node:test";
import { runJob } from "../services/cli/follow-job.ts";
import { importModels } from "../services/cli/model-folder.ts";
import { levelModels } from "../services/cli/run-steps.ts";
import type { Services } from "../services/cli/services.ts";
import { importFile, inside, receiveFiles } from "../services/cli/transfer.ts";
import { DEFAULT_CLEANING } from "../services/lib/method/cleaning.ts";
import { levelSize } from "../services/lib/method/levels.ts";
import { ImportPurpose } from "../services/lib/proto/radhical/v1/datasets.ts";
import { type LevelModel, RegionPath } from "../services/lib/proto/radhical/v1/inference.ts";
import {
  type Cascade,
  type LevelCounts,
  SegmentationMode,
  SubmitRequest,
} from "../services/lib/proto/radhical/v1/segmentation.ts";
import type { LevelThresholds } from "../services/lib/proto/radhical/v1/tuning.ts";
import { thresholdMessages } from "../services/lib/service/cascade-plan.ts";
import { floatsOf } from "../services/lib/service/number-bytes.ts";
import { openingThresholds } from "./exactness.ts";
import { SILENT } from "./exactness-run.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import { seededModel } from "./seeded-models.ts";

export const REDUCTIONS = [1, 2, 4, 10];

/** An image and the models of every level, imported. */
export interface CascadeInput {
  readonly imageId: string;
  readonly models: readonly LevelModel[];
}

/** What a cascade gives: every file by name, and the counts per level. */
export interface Segmented {
  readonly files: Readonly<Record<string, Buffer>>;
  readonly levels: readonly LevelCounts[] | undefined;
}

/** Imports an image and models that are functions of their level alone. */
export async function importCascade(services: Services, path: string): Promise<CascadeInput> {
  const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
  const levels = REDUCTIONS.map((reduction, i) => seededModel(i + 1, reduction, 1));
  return { imageId, models: levelModels(await importModels(services, { levels })) };
}

/**
 * Returns thresholds by which every level accepts, rejects and passes on, by the image's upper left corner of this size (level-1 pixels):
 * blocks are then evaluated in every way there is.
 */
export async function thresholdsFor(
  services: Services,
  { imageId, models }: CascadeInput,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<LevelThresholds[]> {
  const maps: Float32Array[] = [];
  for (const level of models) {
    const request = {
      imageId,
      level,
      x: 0,
      y: 0,
      width: levelSize(width, level.reduction),
      height: levelSize(height, level.reduction),
      path: RegionPath.REGION_PATH_DENSE,
    };
    const { probabilities } = await services.inference.predictRegion(request);
    maps.push(floatsOf(probabilities));
  }
  return thresholdMessages(openingThresholds([{ width, height, maps }], REDUCTIONS.length));
}

/** Returns the cascade of these models in tiles of a side. */
export const cascadeOf = (
  models: readonly LevelModel[],
  thresholds: readonly LevelThresholds[],
  tile: number,
): Cascade => ({
  models: [...models],
  thresholds: [...thresholds],
  mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
  tile,
  ...DEFAULT_CLEANING,
  imageMpp: 0,
});

/** Segments images and waits for the end. Returns the result's id. */
const submitCascade = (services: Services, imageIds: readonly string[], cascade: Cascade): Promise<string> =>
  runJob(services, SILENT, {
    service: "segmentation",
    what: "cascade",
    codec: SubmitRequest,
    request: { requestId: "", imageIds: [...imageIds], cascade },
    submit: (request) => services.segmentation.submit(request),
  });

/** Segments an image and fetches what it gives. */
export async function segmentCascade(
  t: TestContext,
  services: Services,
  imageId: string,
  cascade: Cascade,
): Promise<Segmented> {
  const segmentationId = await submitCascade(services, [imageId], cascade);
  const folder = await temporaryFolder(t);
  const files = await receiveFiles(
    services.segmentation.fetchResult({ segmentationId, imageIds: [] }),
    inside(join(folder, "result")),
  );
  const { images } = await services.segmentation.getResult({ segmentationId });
  const bytes = await Promise.all(
    files.toSorted().map(async (file) => [basename(file), await readFile(file)] as const),
  );
  return { files: Object.fromEntries(bytes), levels: images[0]?.levels };
}
