/**
 * @file Which way to evaluate selected pixels is the cheapest. The constants are fixed, never measured at run time: which path a
 * block takes decides its last bits, and those depend on the image alone (SYSTEM.md, Work units).
 */
import { startSquare } from "./blocked/places.ts";
import {
  type EvaluatedSize,
  type NeededPlaces,
  neededPlaces,
  SQUARE_PX,
  type Square,
  touchedSquares,
} from "./sparse-places.ts";
import { sparseStarts, type WindowedLayer } from "./windowed-layers.ts";

/**
 * What work costs on one thread of a CPU with AVX2, in microseconds: NUMBERS.md's three ways of evaluating, taken apart. With AVX-512
 * all of it is about 2.5 times as fast, and the same path is the fastest.
 */
const COST_US = {
  /** A multiply-add of a convolution over a region, or of a matrix product. */
  multiplyAdd: 24e-6,
  /** A multiply-add of a network run patch by patch. */
  patchMultiplyAdd: 31e-6,
  /** A value gathered for a window. */
  gathered: 1.1e-3,
  /** A value turned from planes into rows where sparse evaluation begins. */
  turned: 4e-3,
} as const;

/** How selected pixels are evaluated; `start` is the first layer that is evaluated only where it is needed. */
export type EvaluationPath =
  | { readonly kind: "dense"; readonly costUs: number }
  | { readonly kind: "patches"; readonly costUs: number }
  | { readonly kind: "sparse"; readonly costUs: number; readonly start: number; readonly needed: NeededPlaces };

/** Returns what evaluating a whole region costs. */
export const denseCostUs = (layers: readonly WindowedLayer[], size: EvaluatedSize): number =>
  layers.reduce((sum, layer) => sum + outputPlaces(layer, size) * layer.multiplyAdds, 0) * COST_US.multiplyAdd;

/** Returns the cheapest path for the `selected` pixels of a region (row-major indices, ascending) on a CPU with that block of channels. */
export function cheapestPath(
  layers: readonly WindowedLayer[],
  selected: Int32Array,
  size: EvaluatedSize,
  channelBlock: number,
): EvaluationPath {
  const perPatch = layers.reduce((sum, { multiplyAdds, output }) => sum + multiplyAdds * output.sidePx ** 2, 0);
  let best: EvaluationPath = { kind: "dense", costUs: denseCostUs(layers, size) };
  const patchesUs = selected.length * perPatch * COST_US.patchMultiplyAdd;
  if (patchesUs < best.costUs) best = { kind: "patches", costUs: patchesUs };
  const starts = sparseStarts(layers);
  if (starts.length === 0 || cheapestRowsUs(layers, starts.at(-1)!, selected.length) >= best.costUs) return best;
  const needed = neededPlaces(layers, starts[0]!, selected, size);
  for (const start of starts) {
    const costUs = sparseCostUs(layers, start, needed, size, channelBlock);
    if (costUs < best.costUs) best = { kind: "sparse", costUs, start, needed };
  }
  return best;
}

/** Less than any sparse evaluation of so many pixels costs: the plan of a hopeless one is not worth making. */
const cheapestRowsUs = (layers: readonly WindowedLayer[], start: number, selected: number): number =>
  selected * layers.slice(start).reduce((sum, layer) => sum + rowCostUs(layer), 0);

const rowCostUs = ({ windowPx, multiplyAdds, input }: WindowedLayer): number =>
  multiplyAdds * COST_US.multiplyAdd + (windowPx > 1 ? windowPx ** 2 * input.channels * COST_US.gathered : 0);

function sparseCostUs(
  layers: readonly WindowedLayer[],
  start: number,
  needed: NeededPlaces,
  size: EvaluatedSize,
  channelBlock: number,
): number {
  const before = layers.slice(0, start);
  const last = before.at(-1)!;
  const turned = outputPlaces(last, size) * last.output.channels * COST_US.turned;
  const square = startSquare(layers, start, channelBlock);
  const first = square ? start + 1 : start;
  const rows = layers.slice(first).reduce((sum, layer, i) => sum + needed[first + i]!.length * rowCostUs(layer), 0);
  const squares = square ? squaresCostUs(layers[start]!, square, needed[start]!, size) : 0;
  return denseCostUs(before, size) + turned + squares + rows;
}

function squaresCostUs(layer: WindowedLayer, { inputPx }: Square, places: Int32Array, size: EvaluatedSize): number {
  const grid = { width: size.width + layer.marginPx, height: size.height + layer.marginPx };
  const adds = SQUARE_PX ** 2 * layer.multiplyAdds * COST_US.multiplyAdd;
  return touchedSquares(places, grid).length * (adds + inputPx ** 2 * layer.input.channels * COST_US.gathered);
}

const outputPlaces = ({ marginPx }: WindowedLayer, { width, height }: EvaluatedSize): number =>
  (width + marginPx) * (height + marginPx);
