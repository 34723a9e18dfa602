/** @file Sparse evaluation against patches (METHOD.md 5), from rectangles and from one that covers all, on the nuclei of a block. */
import {
  evaluatePatches,
  evaluateSparse,
  type LevelledImage,
  levelled,
  readSurrounded,
} from "../services/inference/evaluate-region.ts";
import { openNetwork } from "../services/inference/loaded-network.ts";
import type { ImageSource } from "../services/lib/images/image-source.ts";
import { blockSide } from "../services/lib/method/blocks.ts";
import type { Rect } from "../services/lib/method/image.ts";
import { levelSize } from "../services/lib/method/levels.ts";
import type { MappedImage } from "../services/lib/method/simulation.ts";
import { readModel } from "../services/lib/network/model-contents.ts";
import { coverOf, wholeCover } from "../services/lib/network/sparse-plan.ts";
import { gatheringLayer } from "../services/lib/network/windowed-layers.ts";
import { openRuntime, type Runtime } from "../services/lib/runtime/runtime.ts";
import { type Comparison, cutRegion, largestDifference } from "./exactness.ts";

const TOLERANCE = 1e-6;
/** Patches are slow: so many pixels are compared, evenly spread over those that are selected. */
const COMPARED_PX = 256;

interface SparseSubject {
  readonly name: string;
  readonly image: LevelledImage;
  readonly level: number;
  readonly reduction: number;
  readonly onnx: Uint8Array;
  /** In level pixels. */
  readonly rect: Rect;
  /** Row-major pixels of `rect`, ascending. */
  readonly selected: Int32Array;
}

/** (f) On the first block of every level, at the tenth of its pixels that look most like nuclei. Index of models = level - 1. */
export async function checkSparseAll(
  models: readonly { readonly onnx: Uint8Array }[],
  subjects: readonly { readonly name: string; readonly normalised: ImageSource }[],
  maps: readonly MappedImage[],
  reductions: readonly number[],
): Promise<Comparison[]> {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  const comparisons: Comparison[] = [];
  try {
    for (const [s, { name, normalised }] of subjects.entries()) {
      const image = levelled(normalised, 1);
      for (const [i, { onnx }] of models.entries()) {
        const reduction = reductions[i]!;
        const [width, height] = [levelSize(image.width, reduction), levelSize(image.height, reduction)];
        const side = blockSide(reductions) / reduction;
        const rect = { x: 0, y: 0, width: Math.min(side, width), height: Math.min(side, height) };
        const nucleus = cutRegion(maps[s]!.maps[i]!, width, height, rect).subarray(2 * rect.width * rect.height);
        const limit = nucleus.toSorted()[Math.floor(0.9 * nucleus.length)] ?? 0;
        const all = Int32Array.from(nucleus, (_, pixel) => pixel);
        const selected = all.filter((pixel) => nucleus[pixel]! >= limit);
        comparisons.push(await checkSparse(runtime, { name, image, level: i + 1, reduction, onnx, rect, selected }));
      }
    }
  } finally {
    await runtime.close();
  }
  return comparisons;
}

/** What sparse evaluation gives at selected pixels is what their patches give. */
async function checkSparse(runtime: Runtime, subject: SparseSubject): Promise<Comparison> {
  const { name, image, level, reduction, onnx, rect, selected } = subject;
  const network = openNetwork(readModel(onnx), runtime);
  const surrounded = await readSurrounded(image, reduction, rect);
  const step = Math.max(1, Math.floor(selected.length / COMPARED_PX));
  const compared = selected.filter((_, i) => i % step === 0);
  const expected = (await evaluatePatches(network, surrounded.slice(), rect, { selected: compared })).probabilities;
  const { layers } = network;
  const gathering = gatheringLayer(layers) ?? 0;
  const { marginPx } = layers[gathering - 1]!;
  const covers = [coverOf(selected, rect, layers[gathering]!, marginPx), wholeCover(rect, marginPx)];
  let largest = 0;
  for (const cover of covers) {
    const { probabilities } = await evaluateSparse(network, surrounded.slice(), rect, selected, cover);
    const atCompared = probabilities.filter((_, i) => (i % selected.length) % step === 0);
    largest = Math.max(largest, largestDifference(atCompared, expected));
  }
  network.release();
  return {
    check: `sparse = patches, level ${level}`,
    image: name,
    compared: covers.length * compared.length,
    largest,
    allowed: TOLERANCE,
  };
}
