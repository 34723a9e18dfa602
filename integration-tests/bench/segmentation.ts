/**
 * @file The whole cascade with trained models, from Submit to its result, against dense level 1 and against naive evaluation, in seconds of
 * CPU. Models and image are its own, made and trained at the start, unless `--models` (of a run) and `--image` name others. Every image is
 * new to the services. What is around the networks is split by whose code the main thread runs: planning, queue, calls and objects with
 * V8's collections there, or pixels; V8's own threads are in neither part.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Services } from "../../services/cli/services.ts";
import { inside, receiveFiles } from "../../services/cli/transfer.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { RegionPath } from "../../services/lib/proto/radhical/v1/inference.ts";
import type { Cascade } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import { busyCode } from "./busy-code.ts";
import { type Benchmark, busiestThread, type Timing, timedCpu } from "./measure.ts";
import { baseImage, decode, openSegmenting, writeVariant } from "./trained.ts";

/** Work on an image's pixels that is in no network: levels, stains, decisions, components, planes. */
const isPixelWork = (source: string): boolean =>
  /^services\/(lib\/(method|images)\/|segmentation\/join-tiles)/.test(source);

/** Naive evaluation is measured on a square in the middle and extrapolated. */
const NAIVE_PX = 48;

export const segmentation: Benchmark = {
  name: "segmentation",
  unit: "kpixel",
  ratios: [
    { name: "naive / cascade, CPU seconds", of: "naive", to: "cascade", by: "seconds" },
    { name: "dense / cascade, CPU seconds", of: "dense", to: "cascade", by: "seconds" },
    { name: "around the networks / cascade", of: "around the networks", to: "cascade", by: "seconds" },
    { name: "  planning, queue, calls, objects", of: "planning and passing", to: "cascade", by: "seconds" },
    { name: "  work on pixels", of: "work on pixels", to: "cascade", by: "seconds" },
  ],
  open: async (options) => {
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const segmenting = await openSegmenting(options, folder);
    const { services, cascade, dense, segment } = segmenting;
    const base = await baseImage(options);
    const amount = (base.width * base.height) / 1000;
    return {
      round: async (n) => {
        const [path, other] = [join(folder, `${n}.png`), join(folder, `${n}-dense.png`)];
        const file = await writeVariant(base, path, 3 * n);
        await writeVariant(base, other, 3 * n + 1);
        const network = await busiestThread(async () => segment(path, cascade));
        const { image, timing, segmentationId } = network.result;
        // Once more, for V8's sampling takes time of its own.
        const again = join(folder, `${n}-again.png`);
        await writeVariant(base, again, 3 * n + 2);
        const main = await busyCode(isPixelWork, () => segment(again, cascade));
        const everywhere = await segment(other, dense);
        if (n === 0) process.stderr.write(`segmentation: compute fraction ${image.computeFraction.toFixed(3)}\n`);
        const decoding = await timedCpu(amount, () => decode(file));
        const encoding = await encodeAgain(services, join(folder, `result-${n}`), segmentationId, amount);
        const files = decoding.seconds + encoding.seconds;
        const around = timing.seconds - files - network.seconds;
        return {
          cascade: { amount, seconds: timing.seconds - files },
          dense: { amount, seconds: everywhere.timing.seconds - files },
          naive: await naive(services, image.imageId, cascade, base),
          networks: { amount, seconds: network.seconds },
          "around the networks": { amount, seconds: Math.max(around, 1e-3) },
          "planning and passing": { amount, seconds: main.seconds - main.countedSeconds },
          "work on pixels": { amount, seconds: main.countedSeconds },
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
