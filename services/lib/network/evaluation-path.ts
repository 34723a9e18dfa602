/**
 * @file Which way to evaluate selected pixels is the cheapest. The constants are fixed, never measured at run time: which path a
 * block takes decides its last bits on CPUs without blocked convolutions, and those depend on the image alone (SYSTEM.md, Work units).
 */
import { type Cover, coveredPlaces, coverOf, type EvaluatedSize, wholeCover } from "./sparse-plan.ts";
import { gatheringLayer, type WindowedLayer } from "./windowed-layers.ts";

/**
 * What work costs on one thread of a CPU with AVX2, in microseconds: NUMBERS.md's ways of evaluating, taken apart. With AVX-512
 * all of it is about 2.5 times as fast, and the same path is the fastest.
 */
const COST_US = {
  /** A multiply-add of a convolution over a region, or of a matrix product. */
  multiplyAdd: 24e-6,
  /** A multiply-add of a network run patch by patch. */
  patchMultiplyAdd: 31e-6,
  /** A value gathered for a window. */
  gathered: 1.1e-3,
} as const;

/** How selected pixels are evaluated; `cover` is what layers before the gathering one are evaluated on. */
export type EvaluationPath =
  | { readonly kind: "dense"; readonly costUs: number }
  | { readonly kind: "patches"; readonly costUs: number }
  | { readonly kind: "sparse"; readonly costUs: number; readonly cover: Cover };

/** Returns what evaluating a whole region costs. */
export const denseCostUs = (layers: readonly WindowedLayer[], size: EvaluatedSize): number =>
  frontCostUs(layers, wholeCover(size, 0), 0);

/** Returns the cheapest path for the `selected` pixels of a region (row-major indices, ascending). */
export function cheapestPath(
  layers: readonly WindowedLayer[],
  selected: Int32Array,
  size: EvaluatedSize,
): EvaluationPath {
  const perPatch = layers.reduce((sum, { multiplyAdds, output }) => sum + multiplyAdds * output.sidePx ** 2, 0);
  let best: EvaluationPath = { kind: "dense", costUs: denseCostUs(layers, size) };
  const patchesUs = selected.length * perPatch * COST_US.patchMultiplyAdd;
  if (patchesUs < best.costUs) best = { kind: "patches", costUs: patchesUs };
  const gathering = gatheringLayer(layers);
  if (gathering === undefined) return best;
  const selectedUs = selected.length * layers.slice(gathering).reduce((sum, layer) => sum + placeCostUs(layer), 0);
  // The cover of a hopeless one is not worth making.
  if (selectedUs >= best.costUs) return best;
  const front = layers.slice(0, gathering);
  const { marginPx } = front.at(-1)!;
  for (const cover of [coverOf(selected, size, layers[gathering]!, marginPx), wholeCover(size, marginPx)]) {
    const costUs = selectedUs + frontCostUs(front, cover, marginPx);
    if (costUs < best.costUs) best = { kind: "sparse", costUs, cover };
  }
  return best;
}

const frontCostUs = (layers: readonly WindowedLayer[], cover: Cover, marginPx: number): number =>
  COST_US.multiplyAdd *
  layers.reduce((sum, layer) => sum + coveredPlaces(layer, cover, marginPx) * layer.multiplyAdds, 0);

const placeCostUs = ({ windowPx, multiplyAdds, input }: WindowedLayer): number =>
  multiplyAdds * COST_US.multiplyAdd + (windowPx > 1 ? windowPx ** 2 * input.channels * COST_US.gathered : 0);
