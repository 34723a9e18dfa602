/** @file The model that evaluates only the selected pixels of a region (METHOD.md 5, Sparse evaluation). */
import { Graph } from "./graph.ts";
import { centred } from "./input.ts";
import { checkContents, MODEL_NAMES } from "./model-contents.ts";
import type { NetworkDescription } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";
import { constantParameters, dealParameters, parameterLayout } from "./parameters.ts";
import { windowedLayers } from "./windowed-layers.ts";

/** The name of the input that tells a layer which rows its windows are. */
export const windowsName = (layer: number): string => `windows${layer}`;

/**
 * Returns the ONNX model that gives `denseGraph`'s numbers at selected pixels. Layers before `start` are evaluated everywhere, the
 * others only where the selected pixels need them, as rows gathered and multiplied. Inputs: `region` uint8 [1, 3, H + 31, W + 31]; for
 * each layer from `start` on that reads windows, `windows<layer>` int32 [places, windowPx²], rows of the layer before it (`planPlaces`).
 * Output: `probabilities` float32 [N, 3], in the order of the last list.
 */
export function sparseGraph(
  network: NetworkDescription,
  parameters: Float32Array,
  channelMeans: Float32Array,
  start: number,
): Uint8Array {
  checkContents(network, parameters, channelMeans);
  const layers = windowedLayers(network);
  const graph = new Graph();
  const region = graph.input("region", "uint8", [1, 3, "regionHeight", "regionWidth"]);
  const means = graph.float32(MODEL_NAMES.channelMeans, [3], channelMeans);
  const weights = constantParameters(graph, parameterLayout(network), parameters);
  let value = centred(graph, region, means, network.inputScale);
  for (const [i, { placed, parameters: own }] of dealParameters(layers, weights).entries()) {
    const { windowPx, dilation } = layers[i]!;
    const operator = operatorOf(placed.layer);
    if (i < start) {
      value = operator.dense(graph, placed.layer, value, own, dilation);
      continue;
    }
    if (i === start) {
      const lastAxis = graph.node("Transpose", [value], { perm: [0, 2, 3, 1] });
      value = graph.reshape(lastAxis, [-1, placed.input.channels]);
    }
    if (windowPx > 1) {
      const rows = graph.input(windowsName(i), "int32", [`places${i}`, windowPx ** 2]);
      value = graph.node("Gather", [value, rows], { axis: 0 });
    }
    value = operator.places(graph, placed.layer, value, own, placed.input);
  }
  graph.output("probabilities", graph.node("Softmax", [value], { axis: 1 }), "float32", ["selected", network.classes]);
  return graph.model();
}
