/**
 * @file The first convolution on pixels, of 3 channels: too few for a block. Its pool's windows are never taken apart: each place of a
 * window is a convolution of its own, with the pool's size as its stride.
 */
import type { Graph, Value } from "../graph.ts";
import { correlation, exchanged, imagesAsChannels } from "./correlation.ts";
import type { Stage } from "./stage.ts";

/** Returns the convolution at each place of the pool's windows, row by row: blocked [N, O, pooled, pooled]. */
export function firstPlaces(
  graph: Graph,
  { input, poolPx }: Stage,
  pixels: Value,
  filter: Value,
  bias: Value,
): readonly Value[] {
  if (poolPx === 1) return [graph.blocked("Conv", [pixels, filter, bias])];
  return Array.from({ length: poolPx ** 2 }, (_, place) => {
    const [row, column] = [Math.floor(place / poolPx), place % poolPx];
    const [starts, ends, axes] = [
      [row, column],
      [input.sidePx, input.sidePx],
      [2, 3],
    ].map((list) => graph.int64s(list));
    const shifted = place === 0 ? pixels : graph.node("Slice", [pixels, starts!, ends!, axes!]);
    return graph.blocked("Conv", [shifted, filter, bias], { strides: [poolPx, poolPx] });
  });
}

/**
 * dW[o, c, y, x] = sum over places (a, b) of windows, images n and windows (h, w) of pixels[n, c, p h + a + y, p w + b + x] *
 * share(a, b)[n, o, h, w]: of the pixels' correlation with what lies p apart, each place needs a part of its own. A place's share is what is
 * `left` before it less what is left behind it (blocked [N, O, h, w], `pool.ts`), and so are the correlations.
 * Returns [O, 3, k, k]; `pixels` plain [N, 3, S, S].
 */
export function firstWeightGradient(graph: Graph, stage: Stage, pixels: Value, left: readonly Value[]): Value {
  const { layer, poolPx } = stage;
  const images = imagesAsChannels(graph, pixels);
  const axes = graph.int64s([2, 3]);
  const parts = left.map((gradient, place) => {
    const correlated = correlation(graph, stage, images, gradient, poolPx);
    const partOf = (other: number): Value => {
      const starts = [Math.floor(other / poolPx), other % poolPx];
      const ends = starts.map((start) => start + layer.kernelPx);
      return graph.node("Slice", [correlated, graph.int64s(starts), graph.int64s(ends), axes]);
    };
    return place === 0 ? partOf(0) : graph.node("Sub", [partOf(place), partOf(place - 1)]);
  });
  return exchanged(
    graph,
    parts.reduce((sum, part) => graph.node("Add", [sum, part])),
  );
}
