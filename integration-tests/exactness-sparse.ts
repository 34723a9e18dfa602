/** @file Sparse evaluation against patches (METHOD.md 5), from rectangles and from one that covers all, on the nuclei of a block. */
import {
  evaluatePatches,
  evaluateSparse,
  type LevelledImage,
  readSurrounded,
} from "../services/inference/evaluate-region.ts";
import { openNetwork } from "../services/inference/loaded-network.ts";
import type { Rect } from "../services/lib/method/image.ts";
import { readModel } from "../services/lib/network/model-contents.ts";
import { coverOf, wholeCover } from "../services/lib/network/sparse-plan.ts";
import { gatheringLayer } from "../services/lib/network/windowed-layers.ts";
import type { Runtime } from "../services/lib/runtime/runtime.ts";
import { type Comparison, largestDifference } from "./exactness.ts";

const TOLERANCE = 1e-6;
/** Patches are slow: so many pixels are compared, evenly spread over those that are selected. */
const COMPARED_PX = 256;

export interface SparseSubject {
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

/** (f) What sparse evaluation gives at selected pixels is what their patches give. */
export async function checkSparse(runtime: Runtime, subject: SparseSubject): Promise<Comparison> {
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
