/** @file Probabilities over a rectangle of a level: dense in one pass, or pixel by pixel as the naive reference. */
import type { ImageSource } from "../lib/images/image-source.ts";
import type { Rect } from "../lib/method/image.ts";
import { mirroredLevelRegion, neededSource } from "../lib/method/mirror.ts";
import { CLASSIFIED_PX, PATCH_BYTES, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { levelOnePx, mirroredScaledRegion, neededPixels } from "../lib/method/resolution.ts";
import { float32Data } from "../lib/runtime/tensor.ts";
import type { LoadedNetwork } from "./networks.ts";

/** What surrounds a rectangle so that each of its pixels has a whole patch: 16 before, 15 after. */
const SURROUNDING_PX = PATCH_SIZE_PX - 1;
const PATCHES_PER_RUN = 256;

export interface EvaluatedRegion {
  /** float32 [3, h, w]: P0, P1, P2. */
  readonly probabilities: Float32Array;
  /** Seconds in the network, assembling patches included. */
  readonly seconds: number;
}

/** An image as levels see it. */
export interface LevelledImage {
  readonly source: ImageSource;
  /** Level-1 pixels per pixel of the source. */
  readonly scale: number;
  /** In level-1 pixels. */
  readonly width: number;
  readonly height: number;
}

/** Returns an image in level-1 pixels. */
export const levelled = (source: ImageSource, scale: number): LevelledImage => ({
  source,
  scale,
  width: levelOnePx(source.width, scale),
  height: levelOnePx(source.height, scale),
});

/** Returns the pixels a rectangle of a level is computed from: planar RGB [3, h + 31, w + 31]. */
export async function readSurrounded(image: LevelledImage, reduction: number, rect: Rect): Promise<Uint8Array> {
  const { source, scale, width, height } = image;
  const region = {
    x: rect.x - CLASSIFIED_PX,
    y: rect.y - CLASSIFIED_PX,
    width: rect.width + SURROUNDING_PX,
    height: rect.height + SURROUNDING_PX,
  };
  const wanted = { region, reduction, width, height };
  if (scale === 1) return mirroredLevelRegion(await source.readRegion(neededSource(wanted)), wanted);
  const scaled = { ...wanted, scale, imageWidth: source.width, imageHeight: source.height };
  return mirroredScaledRegion(await source.readRegion(neededPixels(scaled)), scaled);
}

/** Returns the probabilities of a rectangle, in level pixels, in one pass. */
export async function evaluateDense(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  { width, height }: Rect,
): Promise<EvaluatedRegion> {
  const session = await network.dense();
  const startedMs = performance.now();
  const dims = [1, 3, height + SURROUNDING_PX, width + SURROUNDING_PX];
  const outputs = await session.run({ region: { type: "uint8", dims, data: surrounded, transfer: true } });
  return { probabilities: float32Data(outputs.probabilities), seconds: (performance.now() - startedMs) / 1_000 };
}

/** Returns the same probabilities, every pixel as its own patch. */
export async function evaluatePatches(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  rect: Rect,
): Promise<EvaluatedRegion> {
  const session = await network.patches();
  const startedMs = performance.now();
  const pixels = rect.width * rect.height;
  const probabilities = new Float32Array(3 * pixels);
  for (let first = 0; first < pixels; first += PATCHES_PER_RUN) {
    const count = Math.min(PATCHES_PER_RUN, pixels - first);
    const data = gatherPatches(surrounded, rect, first, count);
    const outputs = await session.run({
      patches: { type: "uint8", dims: [count, 3, PATCH_SIZE_PX, PATCH_SIZE_PX], data, transfer: true },
    });
    const given = float32Data(outputs.probabilities);
    for (let i = 0; i < count; i++)
      for (let c = 0; c < 3; c++) probabilities[c * pixels + first + i] = given[3 * i + c]!;
  }
  return { probabilities, seconds: (performance.now() - startedMs) / 1_000 };
}

function gatherPatches(surrounded: Uint8Array, { width, height }: Rect, first: number, count: number): Uint8Array {
  const stride = width + SURROUNDING_PX;
  const plane = stride * (height + SURROUNDING_PX);
  const data = new Uint8Array(count * PATCH_BYTES);
  for (let i = 0, to = 0; i < count; i++) {
    const x = (first + i) % width;
    const y = Math.floor((first + i) / width);
    for (let c = 0; c < 3; c++) {
      for (let row = 0; row < PATCH_SIZE_PX; row++, to += PATCH_SIZE_PX) {
        const from = c * plane + (y + row) * stride + x;
        data.set(surrounded.subarray(from, from + PATCH_SIZE_PX), to);
      }
    }
  }
  return data;
}
