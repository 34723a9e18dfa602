/** @file What benchmarks of whole images begin with: trained models, an image of any size, and its segmentation by the services. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runJob } from "../../services/cli/follow-job.ts";
import { importModels, readModelFolder } from "../../services/cli/model-folder.ts";
import { parseOptions, RunOptions } from "../../services/cli/options.ts";
import { run } from "../../services/cli/run.ts";
import { planFor } from "../../services/cli/segment.ts";
import { openServices, type Services } from "../../services/cli/services.ts";
import { importFile } from "../../services/cli/transfer.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import type { RgbImage } from "../../services/lib/method/image.ts";
import { reflect } from "../../services/lib/method/mirror.ts";
import { ImportPurpose } from "../../services/lib/proto/radhical/v1/datasets.ts";
import { type Cascade, type SegmentedImage, SubmitRequest } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import { SILENT } from "../exactness-run.ts";
import { makeTissue, writeTissueCohort } from "../synthetic-tissue.ts";
import { type BenchmarkOptions, type Timing, timedCpu } from "./measure.ts";

const SIDE_PX = 2000;
const SMALL_PX = 600;
const COHORT = { patients: 4, imagesPerPatient: 5, size: 256, seed: 1 };
const STEPS = "300";

/** Returns the folder of trained models: the one that was chosen, or of models trained on images made for it. */
export async function modelsFolder(options: BenchmarkOptions, folder: string): Promise<string> {
  if (options.models !== undefined) return options.models;
  const cohort = join(folder, "cohort");
  await writeTissueCohort(cohort, COHORT);
  const given = {
    images: join(cohort, "images"),
    masks: join(cohort, "masks"),
    out: join(folder, "run"),
    folds: "4",
    annotation: "complete",
    iterations: STEPS,
  };
  await run(parseOptions(RunOptions, given), SILENT, {});
  return join(folder, "run", "models");
}

/** Returns the image that was chosen, or synthetic tissue of 2000 x 2000 pixels (small: 600 x 600). */
export async function baseImage({ image, small }: BenchmarkOptions): Promise<RgbImage> {
  const side = small ? SMALL_PX : SIDE_PX;
  if (image === undefined) return makeTissue({ width: side, height: side, seed: 77, patient: COHORT.patients }).image;
  return decode(await readFile(image));
}

/** Returns a file's pixels. */
export async function decode(file: Uint8Array): Promise<RgbImage> {
  const source = await openImage(file);
  return source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
}

/** Returns an image of another size: mirrored on and on, or its upper left part. */
export function resized(image: RgbImage, width: number, height: number): RgbImage {
  const data = new Uint8Array(3 * width * height);
  const columns = Int32Array.from({ length: width }, (_, x) => 3 * reflect(x, image.width));
  for (let y = 0, to = 0; y < height; y++) {
    const start = 3 * image.width * reflect(y, image.height);
    for (const column of columns) {
      data[to++] = image.data[start + column]!;
      data[to++] = image.data[start + column + 1]!;
      data[to++] = image.data[start + column + 2]!;
    }
  }
  return { width, height, data };
}

/** Writes an image as a PNG that differs from every other `n`'s in one pixel, so that no service has seen it. */
export async function writeVariant(image: RgbImage, path: string, n: number): Promise<Uint8Array> {
  const data = image.data.slice();
  data[0] = n % 256;
  data[1] = Math.floor(n / 256);
  const file = await encodePng({ ...image, channels: 3, data });
  await writeFile(path, file);
  return file;
}

/** What segmenting an image took, and what came of it. */
export interface Segmented {
  readonly segmentationId: string;
  readonly timing: Timing;
  readonly image: SegmentedImage;
}

/** Services with trained models, one tile at a time. */
export interface Segmenting {
  readonly services: Services;
  readonly cascade: Cascade;
  readonly dense: Cascade;
  /** Imports an image, which is not timed, and segments it, which is. */
  segment(path: string, cascade: Cascade): Promise<Segmented>;
}

/** Opens services of this process on a folder. */
export async function openSegmenting(options: BenchmarkOptions, folder: string): Promise<Segmenting> {
  const models = await readModelFolder(await modelsFolder(options, folder));
  const services = await openServices(undefined, join(folder, "objects"), { RADHICAL_WORKERS: "1" });
  const known = await importModels(services, models);
  const plan = (mode: "cascade" | "dense") => planFor({ mode, tile: undefined, mpp: undefined }, known, models);
  return {
    services,
    cascade: plan("cascade"),
    dense: plan("dense"),
    segment: async (path, cascade) => {
      const { imageId, width, height } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
      let segmentationId = "";
      const timing = await timedCpu((width * height) / 1000, async () => {
        segmentationId = await runJob(services, SILENT, {
          service: "segmentation",
          what: "segmentation",
          codec: SubmitRequest,
          request: { requestId: "", imageIds: [imageId], cascade },
          submit: (request) => services.segmentation.submit(request),
        });
      });
      const { images } = await services.segmentation.getResult({ segmentationId });
      return { segmentationId, timing, image: images[0]! };
    },
  };
}
