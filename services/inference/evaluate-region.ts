/** @file Probabilities over a rectangle of a level: dense in one pass, sparse at selected pixels, or each pixel as its own patch. */
import type { ImageSource } from "../lib/images/image-source.ts";
import type { Rect } from "../lib/method/image.ts";
import { mirroredLevelRegion, neededSource } from "../lib/method/mirror.ts";
import { CLASSIFIED_PX, PATCH_BYTES, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { levelOnePx, mirroredScaledRegion, neededPixels } from "../lib/method/resolution.ts";
import { startSquare } from "../lib/network/blocked/places.ts";
import { type NeededPlaces, planWindows } from "../lib/network/sparse-places.ts";
import { float32Data, type Tensor } from "../lib/runtime/tensor.ts";
import type { LoadedNetwork } from "./loaded-network.ts";

/** What surrounds a rectangle so that each of its pixels has a whole patch: 16 before, 15 after. */
const SURROUNDING_PX = PATCH_SIZE_PX - 1;
const PATCHES_PER_RUN = 256;

export interface EvaluatedRegion {
  /** float32 [3, h, w]: P0, P1, P2. */
  readonly probabilities: Float32Array;
  /** Seconds in the network, without waiting for a thread. */
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
  const dims = [1, 3, height + SURROUNDING_PX, width + SURROUNDING_PX];
  const region = { type: "uint8", dims, data: surrounded, transfer: true } as const;
  const { outputs, seconds } = await session.timedRun({ region });
  return { probabilities: float32Data(outputs.probabilities), seconds };
}

/** What of a rectangle is evaluated patch by patch. */
export interface PatchesWork {
  /** Row-major pixels; undefined: all. */
  readonly selected?: Int32Array;
  /** Called after every run of 256 patches: a block patch by patch takes minutes. */
  readonly progress?: () => Promise<void>;
}

/** Returns the same probabilities, every pixel as its own patch; only at the `selected` pixels (row-major) where they are given. */
export async function evaluatePatches(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  rect: Rect,
  { selected, progress }: PatchesWork = {},
): Promise<EvaluatedRegion> {
  const session = await network.patches();
  const chosen = selected ?? Int32Array.from({ length: rect.width * rect.height }, (_, i) => i);
  const probabilities = new Float32Array(3 * rect.width * rect.height);
  let seconds = 0;
  for (let first = 0; first < chosen.length; first += PATCHES_PER_RUN) {
    const pixels = chosen.subarray(first, first + PATCHES_PER_RUN);
    const data = gatherPatches(surrounded, rect, pixels);
    const ran = await session.timedRun({
      patches: { type: "uint8", dims: [pixels.length, 3, PATCH_SIZE_PX, PATCH_SIZE_PX], data, transfer: true },
    });
    seconds += ran.seconds;
    await progress?.();
    const given = float32Data(ran.outputs.probabilities);
    scatter(given, pixels, probabilities, { pixel: 3, channel: 1 });
  }
  return { probabilities, seconds };
}

/** What a sparse evaluation computes; `needed` is where each layer from `start` on is needed for the selected pixels. */
export interface SparseWork {
  readonly start: number;
  readonly needed: NeededPlaces;
  readonly selected: Int32Array;
}

/** Returns the same probabilities at selected pixels; 0 elsewhere. */
export async function evaluateSparse(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  { width, height }: Rect,
  { start, needed, selected }: SparseWork,
): Promise<EvaluatedRegion> {
  const session = await network.sparse(start);
  const dims = [1, 3, height + SURROUNDING_PX, width + SURROUNDING_PX];
  const feeds: Record<string, Tensor> = { region: { type: "uint8", dims, data: surrounded, transfer: true } };
  const square = startSquare(network.layers, start, network.channelBlock);
  for (const [name, list] of planWindows(network.layers, start, needed, { width, height }, square))
    feeds[name] = { type: "int32", ...list, transfer: true };
  const { outputs, seconds } = await session.timedRun(feeds);
  const probabilities = new Float32Array(3 * width * height);
  const given = float32Data(outputs.probabilities);
  scatter(given, selected, probabilities, { pixel: 1, channel: selected.length });
  return { probabilities, seconds };
}

/** How far apart the values of neighbouring pixels and of neighbouring channels lie. */
interface Strides {
  readonly pixel: number;
  readonly channel: number;
}

/** Writes the probabilities of listed pixels into planes [3, h, w]. */
function scatter(given: Float32Array, pixels: Int32Array, planes: Float32Array, { pixel, channel }: Strides): void {
  const plane = planes.length / 3;
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels.length; i++) planes[c * plane + pixels[i]!] = given[i * pixel + c * channel]!;
  }
}

function gatherPatches(surrounded: Uint8Array, { width, height }: Rect, pixels: Int32Array): Uint8Array {
  const stride = width + SURROUNDING_PX;
  const plane = stride * (height + SURROUNDING_PX);
  const data = new Uint8Array(pixels.length * PATCH_BYTES);
  let to = 0;
  for (const pixel of pixels) {
    const x = pixel % width;
    const y = Math.floor(pixel / width);
    for (let c = 0; c < 3; c++) {
      for (let row = 0; row < PATCH_SIZE_PX; row++, to += PATCH_SIZE_PX) {
        const from = c * plane + (y + row) * stride + x;
        data.set(surrounded.subarray(from, from + PATCH_SIZE_PX), to);
      }
    }
  }
  return data;
}
