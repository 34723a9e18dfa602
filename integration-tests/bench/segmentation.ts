/**
 * @file The whole cascade with trained models, from Submit to its result, against dense level 1 and against naive evaluation, in seconds of
 * CPU. Models and image are its own, made and trained at the start, unless `--models` (of a run) and `--image` name others.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runJob } from "../../services/cli/follow-job.ts";
import { importModels, readModelFolder } from "../../services/cli/model-folder.ts";
import { parseOptions, RunOptions } from "../../services/cli/options.ts";
import { run } from "../../services/cli/run.ts";
import { planFor } from "../../services/cli/segment.ts";
import { openServices, type Services } from "../../services/cli/services.ts";
import { importFile, inside, receiveFiles } from "../../services/cli/transfer.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import { ImportPurpose } from "../../services/lib/proto/radhical/v1/datasets.ts";
import { RegionPath } from "../../services/lib/proto/radhical/v1/inference.ts";
import { type Cascade, SubmitRequest } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import { SILENT } from "../exactness-run.ts";
import { makeTissue, writeTissueCohort } from "../synthetic-tissue.ts";
import { type Benchmark, type Timing, timedCpu } from "./measure.ts";

const SIDE_PX = 2000;
/** Naive evaluation is measured on a square in the middle and extrapolated. */
const NAIVE_PX = 48;
const COHORT = { patients: 4, imagesPerPatient: 5, size: 256, seed: 1 };
const STEPS = "300";

export const segmentation: Benchmark = {
  name: "segmentation",
  unit: "kpixel",
  ratios: [
    { name: "naive / cascade, CPU seconds", of: "naive", to: "cascade", by: "seconds" },
    { name: "dense / cascade, CPU seconds", of: "dense", to: "cascade", by: "seconds" },
    { name: "around the networks / cascade", of: "around the networks", to: "cascade", by: "seconds" },
  ],
  open: async (options) => {
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const models = await readModelFolder(options.models ?? (await trainModels(folder)));
    const path = options.image ?? (await writeImage(folder));
    const services = await openServices(undefined, join(folder, "objects"), { RADHICAL_WORKERS: "1" });
    const known = await importModels(services, models);
    const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const plan = (mode: "cascade" | "dense") => planFor({ mode, tile: undefined, mpp: undefined }, known, models);
    const [cascade, dense] = [plan("cascade"), plan("dense")];
    const file = await readFile(path);
    const { width, height } = await openImage(file);
    const amount = (width * height) / 1000;
    return {
      round: async (n) => {
        // Another hole size makes it another piece of work.
        const whole = await segmentOnce(services, imageId, { ...cascade, maxHolePx: 150 + n }, amount);
        const everywhere = await segmentOnce(services, imageId, { ...dense, maxHolePx: 150 + n }, amount);
        if (n === 0) process.stderr.write(`segmentation: compute fraction ${whole.computeFraction.toFixed(3)}\n`);
        const decoding = await timedCpu(amount, () => decode(file));
        const encoding = await encodeAgain(services, join(folder, `result-${n}`), whole.segmentationId, amount);
        const files = decoding.seconds + encoding.seconds;
        const around = whole.timing.seconds - files - whole.networkSeconds;
        return {
          cascade: { amount, seconds: whole.timing.seconds - files },
          dense: { amount, seconds: everywhere.timing.seconds - files },
          naive: await naive(services, imageId, cascade, { width, height }),
          "around the networks": { amount, seconds: Math.max(around, 1e-3) },
          decoding,
          encoding,
        };
      },
      close: async () => {
        await services.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

/** Runs the seven steps on images made for it; returns the models' folder. */
async function trainModels(folder: string): Promise<string> {
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

async function writeImage(folder: string): Promise<string> {
  const path = join(folder, "image.png");
  const { image } = makeTissue({ width: SIDE_PX, height: SIDE_PX, seed: 77, patient: COHORT.patients });
  await writeFile(path, await encodePng({ ...image, channels: 3 }));
  return path;
}

async function segmentOnce(services: Services, imageId: string, cascade: Cascade, amount: number) {
  let segmentationId = "";
  const timing = await timedCpu(amount, async () => {
    segmentationId = await runJob(services, SILENT, {
      service: "segmentation",
      what: "segmentation",
      codec: SubmitRequest,
      request: { requestId: "", imageIds: [imageId], cascade },
      submit: (request) => services.segmentation.submit(request),
    });
  });
  const { images } = await services.segmentation.getResult({ segmentationId });
  const { seconds = 0, computeFraction = 0 } = images[0] ?? {};
  return { segmentationId, timing, networkSeconds: seconds, computeFraction };
}

const decode = async (file: Uint8Array) => {
  const source = await openImage(file);
  return source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
};

/** What writing the result's PNGs cost. */
async function encodeAgain(
  services: Services,
  folder: string,
  segmentationId: string,
  amount: number,
): Promise<Timing> {
  const files = await receiveFiles(services.segmentation.fetchResult({ segmentationId, imageIds: [] }), inside(folder));
  const images = await Promise.all(
    files.map(async (file) => {
      const image = await decode(await readFile(file));
      if (file.endsWith("_prob.png")) return { ...image, channels: 3 as const };
      return { ...image, channels: 1 as const, data: image.data.filter((_, i) => i % 3 === 0) };
    }),
  );
  return timedCpu(amount, () => Promise.all(images.map(encodePng)));
}

async function naive(
  services: Services,
  imageId: string,
  { models }: Cascade,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Timing> {
  const level = models.find((model) => model.level === 1);
  const [x, y] = [width, height].map((side) => Math.floor((side - NAIVE_PX) / 2));
  const region = { x: x ?? 0, y: y ?? 0, width: NAIVE_PX, height: NAIVE_PX };
  const request = { imageId, level, ...region, path: RegionPath.REGION_PATH_PATCHES };
  const { seconds } = await timedCpu(1, () => services.inference.predictRegion(request));
  return { amount: (width * height) / 1000, seconds: (seconds * width * height) / NAIVE_PX ** 2 };
}
