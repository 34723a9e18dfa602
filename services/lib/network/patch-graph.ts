/** @file The model that is stored and shared: one patch in, its three probabilities out. */
import { Graph } from "./graph.ts";
import { centred } from "./input.ts";
import { checkContents, MODEL_NAMES } from "./model-contents.ts";
import { type NetworkDescription, placeLayers } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";
import { constantParameters, dealParameters, parameterLayout } from "./parameters.ts";

/**
 * Returns the ONNX model of `network`: input `patches` uint8 [N, 3, 32, 32], planar RGB; output `probabilities` float32
 * [N, 3], softmax. It carries the description, so that `readModel` gets back all that went in, and whatever `properties` say of it.
 */
export function patchGraph(
  network: NetworkDescription,
  parameters: Float32Array,
  channelMeans: Float32Array,
  properties: Readonly<Record<string, string>> = {},
): Uint8Array {
  checkContents(network, parameters, channelMeans);
  const graph = new Graph();
  const patches = graph.input("patches", "uint8", ["N", 3, network.patchSizePx, network.patchSizePx]);
  const means = graph.float32(MODEL_NAMES.channelMeans, [3], channelMeans);
  const weights = constantParameters(graph, parameterLayout(network), parameters);
  let value = centred(graph, patches, means, network.inputScale);
  for (const { placed, parameters: own } of dealParameters(placeLayers(network), weights)) {
    value = operatorOf(placed.layer).forward(graph, placed.layer, value, own);
  }
  const logits = graph.reshape(value, [-1, network.classes]);
  graph.output("probabilities", graph.node("Softmax", [logits], { axis: 1 }), "float32", ["N", network.classes]);
  return graph.model({ ...properties, [MODEL_NAMES.network]: JSON.stringify(network) });
}
