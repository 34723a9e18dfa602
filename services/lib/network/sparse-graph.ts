/** @file The model that evaluates only the selected pixels of a region (METHOD.md 5, Sparse evaluation). */
import { blockedPlaces, blockedSquares, blockedTable, canBlockPlaces, startSquare } from "./blocked/places.ts";
import { Graph, type Value } from "./graph.ts";
import { centred } from "./input.ts";
import { checkContents, MODEL_NAMES } from "./model-contents.ts";
import type { NetworkDescription } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";
import { constantParameters, dealParameters, parameterLayout } from "./parameters.ts";
import { type Square, windowsName } from "./sparse-places.ts";
import { type WindowedLayer, windowedLayers } from "./windowed-layers.ts";

/**
 * Returns the ONNX model that gives `denseGraph`'s numbers at selected pixels. Layers before `start` are evaluated everywhere, the
 * others only where the selected pixels need them. Inputs: `region` uint8 [1, 3, H + 31, W + 31]; for each layer from `start` on that
 * reads windows, `windows<layer>`, rows of the layer before it (`planWindows`). Output: `probabilities` float32 [3, N], in the order of
 * the last list. `channelBlock` is that of the runtime's CPU, 0 for none; with it the numbers are those of `denseGraph` to the bit.
 */
export function sparseGraph(
  network: NetworkDescription,
  parameters: Float32Array,
  channelMeans: Float32Array,
  start: number,
  channelBlock: number,
): Uint8Array {
  checkContents(network, parameters, channelMeans);
  const layers = windowedLayers(network);
  const graph = new Graph();
  const region = graph.input("region", "uint8", [1, 3, "regionHeight", "regionWidth"]);
  const means = graph.float32(MODEL_NAMES.channelMeans, [3], channelMeans);
  const weights = constantParameters(graph, parameterLayout(network), parameters);
  const isBlocked = canBlockPlaces(layers, start, channelBlock);
  const square = startSquare(layers, start, channelBlock);
  let value = centred(graph, region, means, network.inputScale);
  for (const [i, { placed, parameters: own }] of dealParameters(layers, weights).entries()) {
    const { windowPx, dilation } = layers[i]!;
    const operator = operatorOf(placed.layer);
    if (i < start) {
      value = operator.dense(graph, placed.layer, value, own, dilation);
      continue;
    }
    const { channels } = placed.input;
    if (i === start)
      value = isBlocked ? blockedTable(graph, value, channels, channelBlock) : plainTable(graph, value, channels);
    const windows =
      windowPx > 1 ? graph.input(windowsName(i), "int32", windowDims(i, start, layers[i]!, square)) : undefined;
    if (i === start && square && windows !== undefined && placed.layer.type === "conv") {
      const layer = { ...layers[i]!, layer: placed.layer };
      value = blockedSquares(graph, value, layer, { rows: windows, parameters: own, block: channelBlock }, square);
    } else if (isBlocked) {
      value = blockedPlaces(graph, value, { placed, windows, parameters: own, block: channelBlock });
    } else {
      const read = windows === undefined ? value : graph.node("Gather", [value, windows], { axis: 0 });
      value = operator.places(graph, placed.layer, read, own, placed.input);
    }
  }
  const logits = isBlocked ? graph.reshape(value, [network.classes, -1]) : graph.node("Transpose", [value]);
  const probabilities = graph.node("Softmax", [logits], { axis: 0 });
  graph.output("probabilities", probabilities, "float32", [network.classes, "selected"]);
  return graph.model();
}

/** The values of a dense output as rows, [height * width, channels]. */
const plainTable = (graph: Graph, value: Value, channels: number): Value =>
  graph.reshape(graph.node("Transpose", [value], { perm: [0, 2, 3, 1] }), [-1, channels]);

const windowDims = (layer: number, start: number, { windowPx }: WindowedLayer, square: Square | undefined) =>
  layer === start && square
    ? ["squares", square.channelBlocks, square.inputPx, square.inputPx]
    : [`places${layer}`, windowPx ** 2];
