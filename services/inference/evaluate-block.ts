/** @file One block of a level, evaluated at its open pixels in the cheapest way (METHOD.md 5, Sparse evaluation). */
import { evenGrid } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { cheapestPath, denseCostUs, type EvaluationPath } from "../lib/network/evaluation-path.ts";
import type { EvaluatedSize } from "../lib/network/sparse-plan.ts";
import { countUp, type EvaluatedPixels, evaluateDense, evaluatePatches, evaluateSparse } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./loaded-network.ts";
import { giveBack, type Scratch, takeFloats, takeInts } from "./scratch.ts";

/** Sparse evaluation takes a block in parts of at most this side, and parts with more open pixels than this apart again. */
const MAX_PART_PX = 256;
/** It holds 800 gathered values a pixel, for the default network: 32 MB. */
const MAX_SELECTED = 10_000;

export interface BlockWork {
  /** 1 where a pixel is wanted, of the block or of a plane that it lies in; undefined: everywhere. */
  readonly open: Uint8Array | undefined;
  /** Every pixel as its own patch, open or not: the reference. */
  readonly isNaive: boolean;
  /** What a block measures that no border cuts; undefined: this one does. */
  readonly fullSize?: EvaluatedSize;
  /** Called on the way through a block that takes long. */
  readonly progress?: () => Promise<void>;
}

/** Returns planar RGB [3, h + 31, w + 31] of a rectangle with what surrounds it; its memory is the caller's. */
export type ReadPixels = (rect: Rect) => Promise<Uint8Array<ArrayBuffer>>;

/** Takes float32 [3, N], the probabilities of N `pixels` (row-major in `rect`, ascending). Both are used again for the next. */
export type TakePixels = (rect: Rect, pixels: Int32Array, probabilities: Float32Array) => void;

/** What of a block is open: the pixels (row-major in `rect`, ascending) of a rectangle that just holds them, and how to evaluate them. */
interface OpenPart {
  readonly rect: Rect;
  readonly selected: Int32Array;
  readonly path: EvaluationPath;
}

/**
 * Evaluates the open pixels of a block, handing them to `take` part by part; returns the seconds in the network. How they are evaluated
 * depends on the block's size and open pixels and on the network alone. The block and all rectangles lie in a plane `width` pixels wide.
 */
export async function evaluateOpen(
  network: LoadedNetwork,
  read: ReadPixels,
  block: Rect,
  { open, isNaive, width, fullSize = block, progress = async () => {} }: BlockWork & { readonly width: number },
  take: TakePixels,
): Promise<number> {
  const { scratch } = network;
  const hand: TakePixels = (rect, pixels, probabilities) => {
    take(rect, pixels, probabilities);
    giveBack(scratch, pixels);
    giveBack(scratch, probabilities);
  };
  const parts = open && !isNaive && network.canBeSparse ? openParts(network, open, width, block) : undefined;
  const partsUs = parts?.reduce((sum, { path }) => sum + path.costUs, 0) ?? Number.POSITIVE_INFINITY;
  if (!parts || partsUs >= denseCostUs(network.layers, block)) {
    for (const part of parts ?? []) giveBack(scratch, part.selected);
    const selected = selectedIn(open, width, block, scratch);
    if (selected.length === 0) {
      giveBack(scratch, selected);
      return 0;
    }
    const pixels = await read(block);
    const { probabilities, seconds } = isNaive
      ? await evaluatePatches(network, pixels, block, { progress })
      : await evaluateDense(network, pixels, block, network.plansBySize ? fullSize : block);
    hand(block, selected, pick(probabilities, selected, scratch));
    return seconds;
  }
  let seconds = 0;
  for (const part of parts) {
    const evaluated = await evaluatePart(network, await read(part.rect), part);
    seconds += evaluated.seconds;
    hand(part.rect, part.selected, evaluated.probabilities);
    await progress();
  }
  return seconds;
}

async function evaluatePart(
  network: LoadedNetwork,
  surrounded: Uint8Array<ArrayBuffer>,
  { rect, selected, path }: OpenPart,
): Promise<EvaluatedPixels> {
  switch (path.kind) {
    case "dense": {
      const { probabilities, seconds } = await evaluateDense(network, surrounded, rect);
      return { probabilities: pick(probabilities, selected, network.scratch), seconds };
    }
    case "patches":
      return evaluatePatches(network, surrounded, rect, { selected });
    case "sparse":
      return evaluateSparse(network, surrounded, rect, selected, path.cover);
  }
}

const openParts = (network: LoadedNetwork, open: Uint8Array, stride: number, block: Rect): OpenPart[] =>
  evenGrid(block, MAX_PART_PX).flatMap((cell) => partsOf(network, open, stride, cell));

/** A cell's open pixels as one part, or as those of its quarters where they are too many for a sparse evaluation. */
function partsOf(network: LoadedNetwork, open: Uint8Array, stride: number, cell: Rect): OpenPart[] {
  const rect = boundingBox(open, stride, cell);
  if (!rect) return [];
  const selected = selectedIn(open, stride, rect, network.scratch);
  const path = cheapestPath(network.layers, selected, rect);
  if (path.kind !== "sparse" || selected.length <= MAX_SELECTED) return [{ rect, selected, path }];
  giveBack(network.scratch, selected);
  const side = Math.ceil(Math.max(cell.width, cell.height) / 2);
  return evenGrid(cell, side).flatMap((quarter) => partsOf(network, open, stride, quarter));
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
function selectedIn(
  open: Uint8Array | undefined,
  stride: number,
  { x, y, width, height }: Rect,
  scratch: Scratch,
): Int32Array {
  const pixels = takeInts(scratch, width * height);
  if (open === undefined) return countUp(pixels);
  let count = 0;
  for (let row = 0; row < height; row++) {
    const start = (y + row) * stride + x;
    const line = open.subarray(start, start + width);
    for (let at = line.indexOf(1); at >= 0; at = line.indexOf(1, at)) {
      for (; line[at] === 1; at++) pixels[count++] = row * width + at;
    }
  }
  return pixels.subarray(0, count);
}

/** The values of some pixels of planes, whose memory is given back if they are not all. */
function pick(planes: Float32Array, pixels: Int32Array, scratch: Scratch): Float32Array {
  const plane = planes.length / 3;
  if (pixels.length === plane) return planes;
  const values = takeFloats(scratch, 3 * pixels.length);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < pixels.length; i++) values[c * pixels.length + i] = planes[c * plane + pixels[i]!]!;
  }
  giveBack(scratch, planes);
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
