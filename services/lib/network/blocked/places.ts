/**
 * @file Sparse evaluation on CPUs with blocked convolutions. Windows are laid side by side as one image, over which a convolution steps a
 * window at a time: it adds up in the order of the dense evaluation's, so that both give the same bits.
 */
import type { Graph, Value } from "../graph.ts";
import type { WindowedLayer } from "../windowed-layers.ts";
import { blockedFilter, plainInputFilter } from "./filters.ts";

/** A layer with its parameters in the graph. */
export interface DealtLayer extends WindowedLayer {
  readonly values: readonly Value[];
}

/** True if all layers can be evaluated so: every convolution's channels are whole blocks, but for the pixels' and, at a 1x1, the last one's. */
export const canBlock = (layers: readonly WindowedLayer[], block: number): boolean =>
  block > 0 &&
  layers.every(({ layer, input, output, windowPx }, i) => {
    if (i === 0 ? layer.type !== "conv" || input.channels >= block : input.channels % block !== 0) return false;
    return output.channels % block === 0 || (i === layers.length - 1 && layer.type === "conv" && windowPx === 1);
  });

/** Returns the layers' values on whole regions; `pixels` is plain, the result blocked. */
export function blockedFront(graph: Graph, pixels: Value, layers: readonly DealtLayer[], block: number): Value {
  let value = pixels;
  for (const { layer, input, values, dilation, hasRelu } of withRelus(layers)) {
    const dilations = [dilation, dilation];
    if (layer.type === "relu") value = graph.node("Relu", [value]);
    else if (layer.type === "maxPool") {
      const kernel = [layer.sizePx, layer.sizePx];
      value = graph.blocked("MaxPool", [value], { kernel_shape: kernel, strides: [1, 1], dilations });
    } else {
      const shape = { outputs: layer.channels, inputs: input.channels, kernelPx: layer.kernelPx, block };
      const [weight, bias] = weightAndBias(values);
      const filter = value === pixels ? plainInputFilter(graph, weight, shape) : blockedFilter(graph, weight, shape);
      value = graph.blocked("Conv", [value, filter, bias], { dilations, ...activation(hasRelu) });
    }
  }
  return value;
}

/** Returns blocked [rectangles, channels, height, width] as [channels / block, rectangles * height * width, block]. */
export function blockedTable(graph: Graph, value: Value, channels: number, block: number): Value {
  const byRectangle = graph.reshape(value, [0, channels / block, -1, block]);
  const byBlock = graph.node("Transpose", [byRectangle], { perm: [1, 0, 2, 3] });
  return graph.reshape(byBlock, [channels / block, -1, block]);
}

/**
 * Returns the last layers' values at selected pixels, plain [1, channels, 1, selected]; `windows` int32 [windowPx, selected, windowPx] are
 * the first of these layers' as rows of `table`.
 */
export function blockedPlaces(
  graph: Graph,
  table: Value,
  windows: Value,
  layers: readonly DealtLayer[],
  block: number,
): Value {
  const { windowPx, input } = layers[0]!;
  const gathered = graph.node("Gather", [table, windows], { axis: 1 });
  let value = graph.reshape(gathered, [1, input.channels, windowPx, -1]);
  for (const { layer, input: own, values, hasRelu } of withRelus(layers)) {
    if (layer.type === "relu") value = graph.node("Relu", [value]);
    else if (layer.type === "maxPool") {
      const { sizePx } = layer;
      value = graph.blocked("MaxPool", [value], { kernel_shape: [sizePx, sizePx], strides: [1, sizePx] });
    } else {
      const { channels, kernelPx } = layer;
      const outputs = Math.ceil(channels / block) * block;
      const [weight, bias] = weightAndBias(values);
      const shape = { outputs, inputs: own.channels, kernelPx, block };
      const filter = blockedFilter(graph, padded(graph, weight, outputs - channels, 4), shape);
      const offsets = padded(graph, bias, outputs - channels, 1);
      const strides = [1, kernelPx];
      value = graph.blocked("Conv", [value, filter, offsets], { strides, ...activation(hasRelu) });
    }
  }
  return graph.blocked("ReorderOutput", [value], { channels: layers.at(-1)!.output.channels });
}

/** The layers, a rectifier right behind a convolution being part of it. */
function withRelus(layers: readonly DealtLayer[]): (DealtLayer & { readonly hasRelu: boolean })[] {
  const isAbsorbed = (i: number): boolean => layers[i]?.layer.type === "relu" && layers[i - 1]?.layer.type === "conv";
  return layers.flatMap((dealt, i) => (isAbsorbed(i) ? [] : [{ ...dealt, hasRelu: isAbsorbed(i + 1) }]));
}

const activation = (hasRelu: boolean) => (hasRelu ? { activation: "Relu" } : {});

function weightAndBias([weight, bias]: readonly Value[]): readonly [Value, Value] {
  if (weight === undefined || bias === undefined) throw new Error("A convolution has a weight and a bias");
  return [weight, bias];
}

/** Appends zeros for so many more outputs, along the first of `rank` axes. */
function padded(graph: Graph, array: Value, count: number, rank: number): Value {
  if (count === 0) return array;
  const pads = Array.from({ length: 2 * rank }, (_, i) => (i === rank ? count : 0));
  return graph.node("Pad", [array, graph.int64s(pads), graph.scalar(0)]);
}
