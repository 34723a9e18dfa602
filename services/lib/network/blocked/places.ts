/**
 * @file Layers at listed places on CPUs with blocked convolutions. Windows are laid side by side as one image, over which a convolution
 * steps a window at a time: it adds up in the order of the dense evaluation's, so that both give the same bits.
 */
import type { Graph, Value } from "../graph.ts";
import type { ConvLayer } from "../layers.ts";
import type { PlacedLayer } from "../network-description.ts";
import { SQUARE_PX, type Square } from "../sparse-places.ts";
import type { WindowedLayer } from "../windowed-layers.ts";
import { blockedFilter } from "./filters.ts";

/** True if all layers from `start` on can be evaluated so; the last convolution may have any channels. */
export const canBlockPlaces = (layers: readonly WindowedLayer[], start: number, block: number): boolean =>
  block > 0 &&
  layers.slice(start).every(({ layer, input, output }, i, own) => {
    if (input.channels % block !== 0) return false;
    return layer.type !== "conv" || output.channels % block === 0 || (i === own.length - 1 && layer.kernelPx === 1);
  });

/**
 * Returns the squares that a start is evaluated in, undefined where single windows are better (nothing behind it reads windows: its
 * places are the selected pixels themselves) or all there is.
 */
export function startSquare(layers: readonly WindowedLayer[], start: number, block: number): Square | undefined {
  const { windowPx, dilation, marginPx, input } = layers[start]!;
  const isLast = layers.slice(start + 1).every((layer) => layer.windowPx === 1);
  if (isLast || marginPx + 1 < SQUARE_PX || !canBlockPlaces(layers, start, block)) return undefined;
  return { inputPx: SQUARE_PX + (windowPx - 1) * dilation, channelBlocks: input.channels / block };
}

/** Returns the values of a dense output [1, channels, height, width] as [channels / block, height * width, block]. */
export const blockedTable = (graph: Graph, value: Value, channels: number, block: number): Value =>
  graph.reshape(graph.blocked("ReorderInput", [value]), [channels / block, -1, block]);

/** Where a layer reads, and what it is. */
export interface BlockedPlace {
  readonly placed: PlacedLayer;
  /** int32 [places, windowPx²], rows of `table`; undefined where a place reads itself. */
  readonly windows: Value | undefined;
  readonly parameters: readonly Value[];
  readonly block: number;
}

/** Returns a layer's values at its places, [channels / block, places, block], from those of the layer before it. */
export function blockedPlaces(graph: Graph, table: Value, { placed, windows, parameters, block }: BlockedPlace): Value {
  const { layer, input } = placed;
  switch (layer.type) {
    case "relu":
      return graph.node("Relu", [table]);
    case "maxPool": {
      if (windows === undefined) return table;
      const byPlace = graph.node("Transpose", [windows], { perm: [1, 0] });
      const gathered = graph.node("Gather", [table, byPlace], { axis: 1 });
      return graph.node("ReduceMax", [gathered, graph.int64s([1])], { keepdims: 0 });
    }
    case "conv": {
      const image = windows === undefined ? table : sideBySide(graph, table, windows, layer.kernelPx);
      const [weight, bias] = parameters;
      if (weight === undefined || bias === undefined) throw new Error("A convolution has a weight and a bias");
      return convolve(graph, layer, graph.reshape(image, [1, input.channels, layer.kernelPx, -1]), weight, bias, {
        inputs: input.channels,
        block,
      });
    }
  }
}

/**
 * Returns a convolution over squares, [channels / block, places, block] from the same of its input; `rows` int32
 * [squares, input channels / block, inputPx, inputPx].
 */
export function blockedSquares(
  graph: Graph,
  table: Value,
  { input, layer, dilation }: WindowedLayer & { readonly layer: ConvLayer },
  { rows, parameters, block }: { readonly rows: Value; readonly parameters: readonly Value[]; readonly block: number },
  { inputPx }: Square,
): Value {
  const [weight, bias] = parameters;
  if (weight === undefined || bias === undefined) throw new Error("A convolution has a weight and a bias");
  const { channels, kernelPx } = layer;
  const gathered = graph.node("Gather", [graph.reshape(table, [-1, block]), rows], { axis: 0 });
  const images = graph.reshape(gathered, [-1, input.channels, inputPx, inputPx]);
  const filter = blockedFilter(graph, weight, { outputs: channels, inputs: input.channels, kernelPx, block });
  const convolved = graph.blocked("Conv", [images, filter, bias], { dilations: [dilation, dilation] });
  const bySquare = graph.reshape(convolved, [-1, channels / block, SQUARE_PX ** 2, block]);
  const byChannel = graph.node("Transpose", [bySquare], { perm: [1, 0, 2, 3] });
  return graph.reshape(byChannel, [channels / block, -1, block]);
}

/** [channels / block, kernel, places * kernel, block]: the windows as one image. */
function sideBySide(graph: Graph, table: Value, windows: Value, kernelPx: number): Value {
  const square = graph.reshape(windows, [-1, kernelPx, kernelPx]);
  const byRow = graph.node("Transpose", [square], { perm: [1, 0, 2] });
  return graph.node("Gather", [table, byRow], { axis: 1 });
}

function convolve(
  graph: Graph,
  { channels, kernelPx }: ConvLayer,
  image: Value,
  weight: Value,
  bias: Value,
  { inputs, block }: { readonly inputs: number; readonly block: number },
): Value {
  if (channels % block !== 0) {
    const plain = graph.blocked("ReorderOutput", [image], { channels: inputs });
    return graph.node("Conv", [plain, weight, bias]);
  }
  const filter = blockedFilter(graph, weight, { outputs: channels, inputs, kernelPx, block });
  const convolved = graph.blocked("Conv", [image, filter, bias], { strides: [1, kernelPx] });
  return graph.reshape(convolved, [channels / block, -1, block]);
}
