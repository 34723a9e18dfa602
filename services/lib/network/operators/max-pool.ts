/** @file y = the maximum of each window; windows do not overlap. */
import type { Graph, Value } from "../graph.ts";
import type { MaxPoolLayer, Shape } from "../layers.ts";
import type { Operator } from "./operator.ts";

/** Max pooling. The first maximum of a window, row by row, takes the gradient, as in PyTorch: flat tissue has many ties. */
export const maxPool: Operator<MaxPoolLayer> = {
  outputShape({ sizePx }, { channels, sidePx }) {
    if (sidePx % sizePx !== 0) return { problem: `its size of ${sizePx} px does not divide its input of ${sidePx} px` };
    return { channels, sidePx: sidePx / sizePx };
  },
  parameters: () => [],
  forward: (graph, { sizePx }, input) =>
    graph.node("MaxPool", [input], { kernel_shape: [sizePx, sizePx], strides: [sizePx, sizePx] }),
  dense: (graph, { sizePx }, input, _parameters, dilation) =>
    graph.node("MaxPool", [input], {
      kernel_shape: [sizePx, sizePx],
      strides: [1, 1],
      dilations: [dilation, dilation],
    }),
  windowPx: ({ sizePx }) => sizePx,
  places: (graph, _layer, windows) => graph.node("ReduceMax", [windows, graph.int64s([1])], { keepdims: 0 }),
  stride: ({ sizePx }) => sizePx,
  train(graph, { sizePx }, { value, shape }) {
    const places = windowPlaces(graph, value, sizePx, shape.sidePx);
    const output = places.reduce((most, place) => graph.node("Max", [most, place]));
    return {
      output,
      parameterGradients: () => [],
      inputGradient: (outputGradient) =>
        interleave(graph, firstMaximumTakes(graph, places, output, outputGradient), sizePx, shape),
    };
  },
};

/** The values at each place of a window, row by row: sizePx² values of [N, channels, windows, windows]. */
function windowPlaces(graph: Graph, value: Value, sizePx: number, sidePx: number): readonly Value[] {
  const [ends, axes, steps] = [
    [sidePx, sidePx],
    [2, 3],
    [sizePx, sizePx],
  ].map((list) => graph.int64s(list));
  return Array.from({ length: sizePx ** 2 }, (_, place) => {
    const starts = graph.int64s([Math.floor(place / sizePx), place % sizePx]);
    return graph.node("Slice", [value, starts, ends!, axes!, steps!]);
  });
}

/**
 * Each place's share of the gradient: the first place that equals the maximum takes it all, and leaves nothing for later
 * ones. Plain comparisons, because MaxPool's indices with MaxUnpool exist on the CPU only.
 */
function firstMaximumTakes(graph: Graph, places: readonly Value[], maximum: Value, gradient: Value): readonly Value[] {
  let left = gradient;
  return places.map((place, i) => {
    if (i === places.length - 1) return left;
    const isMaximum = graph.node("GreaterOrEqual", [place, maximum]);
    const share = graph.node("Where", [isMaximum, left, graph.scalar(0)]);
    left = graph.node("Sub", [left, share]);
    return share;
  });
}

/** The inverse of `windowPlaces`. DepthToSpace moves whole rows where writing through strides moves single values. */
function interleave(graph: Graph, places: readonly Value[], sizePx: number, { channels, sidePx }: Shape): Value {
  const windows = sidePx / sizePx;
  const planes = places.map((place) => graph.reshape(place, [-1, channels, 1, windows, windows]));
  const stacked = graph.node("Concat", planes, { axis: 2 });
  const deep = graph.reshape(stacked, [-1, channels * sizePx ** 2, windows, windows]);
  return graph.node("DepthToSpace", [deep], { blocksize: sizePx, mode: "CRD" });
}
