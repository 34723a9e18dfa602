/** @file One block of a level, evaluated at its open pixels in the cheapest way (METHOD.md 5, Sparse evaluation). */
import type { Rect } from "../lib/method/image.ts";
import { PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { cheapestPath, denseCostUs, type EvaluationPath } from "../lib/network/evaluation-path.ts";
import { type EvaluatedRegion, evaluateDense, evaluatePatches, evaluateSparse } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./loaded-network.ts";

/** Sparse evaluation takes a block in parts of at most this side: it holds 800 gathered values a place, for the default network. */
const MAX_PART_PX = 256;
const SURROUNDING_PX = PATCH_SIZE_PX - 1;

export interface BlockWork {
  /** 1 where a pixel of the block is wanted; undefined: everywhere. */
  readonly open: Uint8Array | undefined;
  /** Every pixel as its own patch, open or not: the reference. */
  readonly isNaive: boolean;
  /** Called on the way through a block that takes long. */
  readonly progress?: () => Promise<void>;
}

/** What of a block is open: the pixels (row-major in `rect`, ascending) of a rectangle that just holds them, and how to evaluate them. */
interface OpenPart {
  /** In pixels of the block. */
  readonly rect: Rect;
  readonly selected: Int32Array;
  readonly path: EvaluationPath;
}

/**
 * Returns the probabilities of a block; where pixels are not open they are 0 or right. `surrounded` is planar RGB
 * [3, h + 31, w + 31]. How it is evaluated depends on the block's size and open pixels and on the network alone.
 */
export async function evaluateBlock(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  rect: Rect,
  { open, isNaive, progress = async () => {} }: BlockWork,
): Promise<EvaluatedRegion> {
  if (isNaive) return evaluatePatches(network, surrounded, rect, { progress });
  if (!open || !network.canBeSparse) return evaluateDense(network, surrounded, rect);
  const parts = openParts(network, open, rect);
  const partsUs = parts.reduce((sum, { path }) => sum + path.costUs, 0);
  if (partsUs >= denseCostUs(network.layers, rect)) return evaluateDense(network, surrounded, rect);
  const probabilities = new Float32Array(3 * rect.width * rect.height);
  let seconds = 0;
  for (const part of parts) {
    const region = await evaluatePart(network, cutPlanes(surrounded, rect, part.rect, SURROUNDING_PX), part);
    seconds += region.seconds;
    await progress();
    pastePlanes(probabilities, rect, region.probabilities, part.rect);
  }
  return { probabilities, seconds };
}

function evaluatePart(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  { rect, selected, path }: OpenPart,
): Promise<EvaluatedRegion> {
  switch (path.kind) {
    case "dense":
      return evaluateDense(network, surrounded, rect);
    case "patches":
      return evaluatePatches(network, surrounded, rect, { selected });
    case "sparse":
      return evaluateSparse(network, surrounded, rect, { ...path, selected });
  }
}

function openParts(network: LoadedNetwork, open: Uint8Array, { width, height }: Rect): OpenPart[] {
  const parts: OpenPart[] = [];
  for (const [top, bottom] of evenly(height)) {
    for (const [left, right] of evenly(width)) {
      const rect = boundingBox(open, width, { x: left, y: top, width: right - left, height: bottom - top });
      if (!rect) continue;
      const selected = openPixelsIn(open, width, rect);
      parts.push({ rect, selected, path: cheapestPath(network.layers, selected, rect, network.channelBlock) });
    }
  }
  return parts;
}

/** Spans of nearly equal length, at most MAX_PART_PX each. */
function evenly(length: number): (readonly [number, number])[] {
  const count = Math.ceil(length / MAX_PART_PX);
  const edge = (i: number): number => Math.floor((i * length) / count);
  return Array.from({ length: count }, (_, i) => [edge(i), edge(i + 1)] as const);
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

function openPixelsIn(open: Uint8Array, stride: number, { x, y, width, height }: Rect): Int32Array {
  const pixels = new Int32Array(width * height);
  let count = 0;
  for (let row = 0; row < height; row++) {
    const from = (y + row) * stride + x;
    for (let column = 0; column < width; column++)
      if (open[from + column] === 1) pixels[count++] = row * width + column;
  }
  return pixels.subarray(0, count);
}

/** Cuts a part with what surrounds it out of a block with what surrounds it. */
function cutPlanes(planes: Uint8Array, block: Rect, { x, y, width, height }: Rect, surroundingPx: number): Uint8Array {
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

/** Writes planes [3, h, w] into larger ones at `place`. */
export function pastePlanes(planes: Float32Array, size: Rect, pasted: Float32Array, place: Rect): void {
  const { x, y, width, height } = place;
  for (let c = 0; c < 3; c++) {
    for (let row = 0; row < height; row++) {
      const from = (c * height + row) * width;
      planes.set(pasted.subarray(from, from + width), (c * size.height + y + row) * size.width + x);
    }
  }
}
