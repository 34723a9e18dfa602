/** @file Probabilities over a rectangle of a level: dense in one pass, sparse at selected pixels, or each pixel as its own patch. */
import type { ImageSource } from "../lib/images/image-source.ts";
import type { Rect } from "../lib/method/image.ts";
import { mirroredLevelRegion, neededSource } from "../lib/method/mirror.ts";
import { PATCH_BYTES, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { levelOnePx, mirroredScaledRegion, neededPixels } from "../lib/method/resolution.ts";
import { type Cover, cutRegions, type EvaluatedSize, planWindows } from "../lib/network/sparse-plan.ts";
import { gatheringLayer } from "../lib/network/windowed-layers.ts";
import type { Session } from "../lib/runtime/session.ts";
import { float32Data, type Tensors } from "../lib/runtime/tensor.ts";
import type { LoadedNetwork } from "./loaded-network.ts";
import { copyPlanes, SURROUNDING_PX, surroundedRect, surroundedSize } from "./planes.ts";
import { giveBack, takeFloats, takeInts } from "./scratch.ts";

const PATCHES_PER_RUN = 256;

export interface EvaluatedPixels {
  /** float32 [3, N]: P0, P1, P2 of some pixels in their order; of all pixels of a rectangle [3, h, w]. The memory is out of the network's scratch. */
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
export async function readSurrounded(
  image: LevelledImage,
  reduction: number,
  rect: Rect,
): Promise<Uint8Array<ArrayBuffer>> {
  const { source, scale, width, height } = image;
  const wanted = { region: surroundedRect(rect), reduction, width, height };
  if (scale === 1) return mirroredLevelRegion(await source.readRegion(neededSource(wanted)), wanted);
  const scaled = { ...wanted, scale, imageWidth: source.width, imageHeight: source.height };
  return mirroredScaledRegion(await source.readRegion(neededPixels(scaled)), scaled);
}

/**
 * Returns the probabilities of a rectangle, in level pixels, in one pass. Where `computed` is larger, the network runs on so many pixels: what
 * is behind the rectangle's own is black, and what it gives there is left out.
 */
export async function evaluateDense(
  network: LoadedNetwork,
  surrounded: Uint8Array<ArrayBuffer>,
  size: EvaluatedSize,
  computed: EvaluatedSize = size,
): Promise<EvaluatedPixels> {
  const enlarged = surroundedSize(computed);
  const run = async (pixels: Uint8Array<ArrayBuffer>): Promise<EvaluatedPixels> => {
    const region = { type: "uint8", dims: [1, 3, enlarged.height, enlarged.width], data: pixels, lend: true } as const;
    return runLent(network, await network.dense(), { region }, [1, 3, computed.height, computed.width]);
  };
  if (computed.width === size.width && computed.height === size.height) return run(surrounded);
  const pixels = new Uint8Array(3 * enlarged.width * enlarged.height);
  copyPlanes(surrounded, surroundedSize(size), pixels, enlarged);
  network.scratch.give(surrounded.buffer);
  const { probabilities: all, seconds } = await run(pixels);
  const probabilities = takeFloats(network.scratch, 3 * size.width * size.height);
  copyPlanes(all, computed, probabilities, size);
  giveBack(network.scratch, all);
  return { probabilities, seconds };
}

/** What of a rectangle is evaluated patch by patch. */
export interface PatchesWork {
  /** Row-major pixels; undefined: all. */
  readonly selected?: Int32Array;
  /** Called after every run of 256 patches: a block patch by patch takes minutes. */
  readonly progress?: () => Promise<void>;
}

/** Returns the probabilities of selected pixels (row-major), each as its own patch; of all of them: float32 [3, h, w]. Keeps `surrounded`. */
export async function evaluatePatches(
  network: LoadedNetwork,
  surrounded: Uint8Array<ArrayBuffer>,
  rect: Rect,
  { selected = countUp(new Int32Array(rect.width * rect.height)), progress }: PatchesWork = {},
): Promise<EvaluatedPixels> {
  const session = await network.patches();
  const probabilities = takeFloats(network.scratch, 3 * selected.length);
  let seconds = 0;
  for (let first = 0; first < selected.length; first += PATCHES_PER_RUN) {
    const pixels = selected.subarray(first, first + PATCHES_PER_RUN);
    const data = gatherPatches(surrounded, rect, pixels);
    const ran = await session.timedRun({
      patches: { type: "uint8", dims: [pixels.length, 3, PATCH_SIZE_PX, PATCH_SIZE_PX], data, transfer: true },
    });
    seconds += ran.seconds;
    await progress?.();
    const given = float32Data(ran.outputs.probabilities);
    for (let i = 0; i < pixels.length; i++) {
      for (let c = 0; c < 3; c++) probabilities[c * selected.length + first + i] = given[3 * i + c]!;
    }
  }
  network.scratch.give(surrounded.buffer);
  return { probabilities, seconds };
}

/** Returns the probabilities of selected pixels (row-major, ascending), from a cover of what they need. */
export async function evaluateSparse(
  network: LoadedNetwork,
  surrounded: Uint8Array<ArrayBuffer>,
  rect: Rect,
  selected: Int32Array,
  cover: Cover,
): Promise<EvaluatedPixels> {
  const { layers } = network;
  const gathering = gatheringLayer(layers);
  if (gathering === undefined) throw new Error("Cannot evaluate sparsely: the network has nothing to gather");
  const layer = layers[gathering]!;
  const reachPx = SURROUNDING_PX - layers[gathering - 1]!.marginPx;
  const { width, height } = cover.rectangle;
  const isWhole = cover.corners.length === 2 && surrounded.length === 3 * (width + reachPx) * (height + reachPx);
  const size = surroundedSize(rect);
  const { scratch } = network;
  const dims = [cover.corners.length / 2, 3, height + reachPx, width + reachPx];
  const bytes = dims.reduce((product, dim) => product * dim);
  const data = isWhole ? surrounded : new Uint8Array(scratch.take(bytes), 0, bytes);
  if (!isWhole) {
    cutRegions(surrounded, size, cover, reachPx, data);
    scratch.give(surrounded.buffer);
  }
  const count = layer.windowPx ** 2 * selected.length;
  const windows = takeInts(scratch, count);
  planWindows(cover, layer, selected, rect, windows);
  const feeds: Tensors = {
    regions: { type: "uint8", dims, data, lend: true },
    windows: { type: "int32", dims: [layer.windowPx, selected.length, layer.windowPx], data: windows, lend: true },
  };
  return runLent(network, await network.sparse(), feeds, [3, selected.length]);
}

/** Runs on memory that is lent, and keeps that of the feeds for the next run; `dims` are those of the output. */
async function runLent(
  { scratch }: LoadedNetwork,
  session: Session,
  feeds: Tensors,
  dims: readonly number[],
): Promise<EvaluatedPixels> {
  const size = dims.reduce((product, dim) => product * dim);
  const probabilities = { type: "float32", dims, data: takeFloats(scratch, size), lend: true } as const;
  const { outputs, lent, seconds } = await session.timedRun(feeds, [], { probabilities });
  for (const buffer of lent) scratch.give(buffer);
  return { probabilities: float32Data(outputs.probabilities), seconds };
}

function gatherPatches(surrounded: Uint8Array<ArrayBuffer>, rect: Rect, pixels: Int32Array): Uint8Array {
  const { width } = rect;
  const { width: stride, height: rows } = surroundedSize(rect);
  const plane = stride * rows;
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

/** Writes 0, 1, 2, … and returns them. */
export function countUp(numbers: Int32Array): Int32Array {
  for (let i = 0; i < numbers.length; i++) numbers[i] = i;
  return numbers;
}
