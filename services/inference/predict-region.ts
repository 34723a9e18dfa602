/** @file PredictRegion: a small region of one level at once. */
import type { CallContext } from "nice-grpc";
import { invalid } from "../lib/errors.ts";
import { evenGrid } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { levelSize } from "../lib/method/levels.ts";
import { neededSource } from "../lib/method/mirror.ts";
import {
  type PredictRegionRequest,
  type PredictRegionResponse,
  RegionPath,
} from "../lib/proto/radhical/v1/inference.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import { scatter } from "./evaluate-block.ts";
import {
  countUp,
  evaluateDense,
  evaluatePatches,
  type LevelledImage,
  levelled,
  readSurrounded,
} from "./evaluate-region.ts";
import type { Networks } from "./networks.ts";
import { surroundedRect } from "./planes.ts";
import { giveBack } from "./scratch.ts";

/** What a least common multiple of reductions may be (METHOD.md, "Levels and geometry"). */
const MAX_REDUCTION = 2_000;
/** 12 bytes a pixel stay within a message. */
const MAX_PIXELS = 1_000_000;
/** Side of what is evaluated together: what networks hold at once they keep, 600 bytes a pixel for the default one. */
const MAX_PART_PX = 512;
/** Of the image, 3 bytes each: what is read at once. One pixel of a level sees 32 x 32 of the level, which at reduction 1,000 are 32,000 x 32,000 of the image. */
const MAX_SOURCE_PIXELS = 100_000_000;

/** Unless asked otherwise, dense. */
const PATHS: ReadonlySet<RegionPath> = new Set([
  RegionPath.REGION_PATH_UNSPECIFIED,
  RegionPath.REGION_PATH_DENSE,
  RegionPath.REGION_PATH_PATCHES,
]);

export interface PredictContext {
  readonly images: ImageStore;
  readonly networks: Networks;
}

/** Returns how many pixels of the image are read for a rectangle of a level. */
const sourcePixels = ({ width, height }: LevelledImage, reduction: number, rect: Rect): number => {
  const source = neededSource({ region: surroundedRect(rect), reduction, width, height });
  return source.width * source.height;
};

/** Returns the handler of PredictRegion. */
export const predictRegion =
  (ctx: PredictContext) =>
  async (
    { imageId, level, path, x, y, width, height }: PredictRegionRequest,
    { signal }: Pick<CallContext, "signal">,
  ): Promise<PredictRegionResponse> => {
    const reduction = level?.reduction ?? 0;
    if (!level || reduction < 1 || reduction > MAX_REDUCTION)
      throw invalid("REGION_INVALID", "Cannot predict a region without a level and its reduction");
    if (!PATHS.has(path))
      throw invalid("REGION_INVALID", `Cannot predict a region by path ${path}: there is no such path`);
    const image = levelled(await ctx.images.open(imageId), 1);
    const levelWidth = levelSize(image.width, reduction);
    const levelHeight = levelSize(image.height, reduction);
    const isInside =
      x >= 0 && y >= 0 && width > 0 && height > 0 && x + width <= levelWidth && y + height <= levelHeight;
    const rect = { x, y, width, height };
    if (!isInside || width * height > MAX_PIXELS || sourcePixels(image, reduction, rect) > MAX_SOURCE_PIXELS) {
      const asked = `${width}x${height} pixels at (${x}, ${y})`;
      throw invalid(
        "REGION_INVALID",
        `Cannot predict ${asked}: the level has ${levelWidth}x${levelHeight}, and possible are ${MAX_PIXELS} at a time that see, with what surrounds them, at most ${MAX_SOURCE_PIXELS} pixels of the image`,
      );
    }
    // A caller that has left wants nothing any more; patch by patch a region takes minutes.
    const progress = async (): Promise<void> => signal.throwIfAborted();
    return ctx.networks.use(level.modelId, async (network) => {
      const all = new Float32Array(3 * width * height);
      let seconds = 0;
      for (const part of evenGrid(rect, MAX_PART_PX)) {
        await progress();
        const surrounded = await readSurrounded(image, reduction, part);
        const given =
          path === RegionPath.REGION_PATH_PATCHES
            ? await evaluatePatches(network, surrounded, part, { progress })
            : await evaluateDense(network, surrounded, part);
        const within = { ...part, x: part.x - x, y: part.y - y };
        scatter(given.probabilities, countUp(new Int32Array(part.width * part.height)), within, all, rect);
        giveBack(network.scratch, given.probabilities);
        seconds += given.seconds;
      }
      return { probabilities: Buffer.from(all.buffer), seconds };
    });
  };
