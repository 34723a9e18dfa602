/**
 * @file A max pool on blocked values without MaxUnpool, which has no blocked form: the places of all windows side by side, their
 * maxima, and which place is the first that is its window's. What is written here takes as few passes over memory as were found.
 */
import type { Graph, Value } from "../graph.ts";

/** Sizes of a pool's input, blocked [N, O, pooledPx * poolPx, …]. */
export interface Windows {
  /** N * O / B: planes of blocks. */
  readonly rows: number;
  readonly poolPx: number;
  readonly pooledPx: number;
  readonly block: number;
}

/** The values at each place of a window, row by row, of a blocked value: contiguous slices, for a block is the last axis. */
export function windowPlaces(
  graph: Graph,
  value: Value,
  { rows, poolPx, pooledPx, block }: Windows,
  shape: readonly number[],
): readonly Value[] {
  if (poolPx === 1) return [value];
  const view = graph.reshape(value, [rows * pooledPx, poolPx, pooledPx, poolPx * block]);
  const axes = graph.int64s([1, 3]);
  return Array.from({ length: poolPx ** 2 }, (_, place) => {
    const [row, column] = [Math.floor(place / poolPx), place % poolPx];
    const starts = graph.int64s([row, column * block]);
    const ends = graph.int64s([row + 1, (column + 1) * block]);
    return graph.reshape(graph.node("Slice", [view, starts, ends, axes]), shape);
  });
}

/** The inverse of `windowPlaces`. */
export function joinPlaces(graph: Graph, places: readonly Value[], { rows, poolPx, pooledPx, block }: Windows): Value {
  if (places.length === 1) return places[0]!;
  const cells = places.map((place) => graph.reshape(place, [rows * pooledPx, 1, pooledPx, block]));
  const lines = Array.from({ length: poolPx }, (_, row) =>
    graph.node("Concat", cells.slice(row * poolPx, (row + 1) * poolPx), { axis: 3 }),
  );
  return graph.node("Concat", lines, { axis: 1 });
}

/** The maximum of the first place, of the first two, and so on to all. */
export function runningMaxima(graph: Graph, places: readonly Value[]): readonly Value[] {
  const maxima = [places[0]!];
  for (const place of places.slice(1)) maxima.push(graph.node("Max", [maxima.at(-1)!, place]));
  return maxima;
}

/**
 * What is left of a pool's gradient behind so many places, none to all but one: the first place that is the maximum takes it all, as in
 * PyTorch (flat tissue has many ties). It is left where the maximum of the places passed is not that of all. A place's share is what is left before it
 * less what is left behind it.
 */
export const leftBehind = (graph: Graph, maxima: readonly Value[], gradient: Value): readonly Value[] =>
  [gradient].concat(
    maxima.slice(0, -1).map((passed) => {
      return whereOpen(graph, gradient, graph.node("Sub", [maxima.at(-1)!, passed]));
    }),
  );

/** Each place's share, of what is left behind so many. */
export const shares = (graph: Graph, left: readonly Value[]): readonly Value[] =>
  left.map((before, place) => {
    const behind = left[place + 1];
    return behind === undefined ? before : graph.node("Sub", [before, behind]);
  });

/**
 * A gradient where a gate is over 0, else 0. The gate becomes 1 or 0 by a line so steep, cut off at 0 and 1, that only what is under 1e-38 (a denormal, which the runtime takes for 0)
 * could lie between. Two passes over memory, where Greater and Where take four.
 */
export const whereOpen = (graph: Graph, gradient: Value, gate: Value): Value =>
  graph.node("Mul", [gradient, graph.node("HardSigmoid", [gate], { alpha: { float: 1e38 }, beta: { float: 0 } })]);
