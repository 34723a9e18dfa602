/** @file One block of a level, evaluated at its open pixels in the cheapest way (METHOD.md 5, Sparse evaluation). */
import { evenGrid } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { cheapestPath, denseCostUs, type EvaluationPath } from "../lib/network/evaluation-path.ts";
import type { EvaluatedSize } from "../lib/network/sparse-plan.ts";
import { type EvaluatedPixels, evaluateDense, evaluatePatches, evaluateSparse } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./loaded-network.ts";

/** Sparse evaluation takes a block in parts of at most this side: it holds 800 gathered values a pixel, for the default network. */
const MAX_PART_PX = 256;
const SURROUNDING_PX = PATCH_SIZE_PX - 1;

export interface BlockWork {
  /** 1 where a pixel of the block is wanted; undefined: everywhere. */
  readonly open: Uint8Array | undefined;
  /** Every pixel as its own patch, open or not: the reference. */
  readonly isNaive: boolean;
}

/** Returns planar RGB [3, h + 31, w + 31] of a rectangle of the block's pixels with what surrounds it; the caller may change it. */
export type ReadPixels = (rect: Rect) => Promise<Uint8Array>;

/** Takes float32 [3, N], the probabilities of N `pixels` (row-major in `rect`, ascending); `rect` is in pixels of the block. */
export type TakePixels = (rect: Rect, pixels: Int32Array, probabilities: Float32Array) => void;

/** What of a block is open: the pixels (row-major in `rect`, ascending) of a rectangle that just holds them, and how to evaluate them. */
interface OpenPart {
  /** In pixels of the block. */
  readonly rect: Rect;
  readonly selected: Int32Array;
  readonly path: EvaluationPath;
}

/** Returns the probabilities of a block; where pixels are not open they are 0. `surrounded` is planar RGB [3, h + 31, w + 31]. */
export async function evaluateBlock(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  block: Rect,
  work: BlockWork,
): Promise<EvaluatedPixels> {
  const probabilities = new Float32Array(3 * block.width * block.height);
  const read: ReadPixels = async (rect) => cutPlanes(surrounded, block, rect, SURROUNDING_PX);
  const seconds = await evaluateOpen(network, read, block, work, (rect, pixels, values) =>
    scatter(values, pixels, rect, probabilities, block),
  );
  return { probabilities, seconds };
}

/**
 * Evaluates the open pixels of a block, handing them to `take` part by part; returns the seconds in the network. How they are evaluated
 * depends on the block's size and open pixels and on the network alone.
 */
export async function evaluateOpen(
  network: LoadedNetwork,
  read: ReadPixels,
  { width, height }: EvaluatedSize,
  { open, isNaive }: BlockWork,
  take: TakePixels,
): Promise<number> {
  const whole = { x: 0, y: 0, width, height };
  const parts = open && !isNaive && network.canBeSparse ? openParts(network, open, whole) : undefined;
  const partsUs = parts?.reduce((sum, { path }) => sum + path.costUs, 0) ?? Number.POSITIVE_INFINITY;
  if (!parts || partsUs >= denseCostUs(network.layers, whole)) {
    const evaluate = isNaive ? evaluatePatches : evaluateDense;
    const { probabilities, seconds } = await evaluate(network, await read(whole), whole);
    const selected = selectedIn(open, width, whole);
    take(whole, selected, pick(probabilities, selected));
    return seconds;
  }
  let seconds = 0;
  for (const part of parts) {
    const evaluated = await evaluatePart(network, await read(part.rect), part);
    seconds += evaluated.seconds;
    take(part.rect, part.selected, evaluated.probabilities);
  }
  return seconds;
}

async function evaluatePart(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  { rect, selected, path }: OpenPart,
): Promise<EvaluatedPixels> {
  switch (path.kind) {
    case "dense": {
      const { probabilities, seconds } = await evaluateDense(network, surrounded, rect);
      return { probabilities: pick(probabilities, selected), seconds };
    }
    case "patches":
      return evaluatePatches(network, surrounded, rect, selected);
    case "sparse":
      return evaluateSparse(network, surrounded, rect, selected, path.cover);
  }
}

function openParts(network: LoadedNetwork, open: Uint8Array, block: Rect): OpenPart[] {
  const parts: OpenPart[] = [];
  for (const cell of evenGrid(block, MAX_PART_PX)) {
    const rect = boundingBox(open, block.width, cell);
    if (!rect) continue;
    const selected = selectedIn(open, block.width, rect);
    parts.push({ rect, selected, path: cheapestPath(network.layers, selected, rect) });
  }
  return parts;
}

function boundingBox(open: Uint8Array, stride: number, { x, y, width, height }: Rect): Rect | undefined {
  let [left, right, top, bottom] = [x + width, -1, y + height, -1];
  for (let row = y; row < y + height; row++) {
    const line = open.subarray(row * stride + x, row * stride + x + width);
    const first = line.indexOf(1);
    if (first < 0) continue;
    top = Math.min(top, row);
    bottom = row;
    left = Math.min(left, x + first);
    right = Math.max(right, x + line.lastIndexOf(1));
  }
  return bottom < 0 ? undefined : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
}

/** The open pixels of a rectangle; undefined: all. */
function selectedIn(open: Uint8Array | undefined, stride: number, { x, y, width, height }: Rect): Int32Array {
  const pixels = new Int32Array(width * height);
  let count = 0;
  for (let row = 0; row < height; row++) {
    const shift = row * width - ((y + row) * stride + x);
    for (let at = (y + row) * stride + x, end = at + width; at < end; at++)
      if (open === undefined || open[at] === 1) pixels[count++] = at + shift;
  }
  return pixels.subarray(0, count);
}

/** The values of some pixels of planes. */
function pick(planes: Float32Array, pixels: Int32Array): Float32Array {
  const plane = planes.length / 3;
  if (pixels.length === plane) return planes;
  const values = new Float32Array(3 * pixels.length);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels.length; i++) values[c * pixels.length + i] = planes[c * plane + pixels[i]!]!;
  }
  return values;
}

/** Writes what some pixels of a rectangle got into planes [3, height, width] of a larger one. */
export function scatter(
  values: Float32Array,
  pixels: Int32Array,
  { x, y, width }: Rect,
  planes: Float32Array,
  size: EvaluatedSize,
): void {
  const plane = size.width * size.height;
  for (let i = 0; i < pixels.length; i++) {
    const row = Math.floor(pixels[i]! / width);
    const to = (y + row) * size.width + x + pixels[i]! - row * width;
    for (let c = 0; c < 3; c++) planes[c * plane + to] = values[c * pixels.length + i]!;
  }
}

/** Cuts a part with what surrounds it out of a block with what surrounds it. */
function cutPlanes(
  planes: Uint8Array,
  block: EvaluatedSize,
  { x, y, width, height }: Rect,
  surroundingPx: number,
): Uint8Array {
  const [stride, rows] = [block.width + surroundingPx, block.height + surroundingPx];
  const [cutWidth, cutHeight] = [width + surroundingPx, height + surroundingPx];
  const cut = new Uint8Array(3 * cutWidth * cutHeight);
  for (let c = 0; c < 3; c++) {
    for (let row = 0; row < cutHeight; row++) {
      const from = (c * rows + y + row) * stride + x;
      cut.set(planes.subarray(from, from + cutWidth), (c * cutHeight + row) * cutWidth);
    }
  }
  return cut;
}
