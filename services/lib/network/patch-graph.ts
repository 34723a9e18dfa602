/** @file The model that is stored and shared: one patch in, its three probabilities out. */
import { Graph } from "./graph.ts";
import { centred } from "./input.ts";
import { meanOfMembers } from "./members.ts";
import { checkContents, MODEL_NAMES, type ModelContents } from "./model-contents.ts";
import { placeLayers } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";
import { dealParameters } from "./parameters.ts";

/**
 * Returns the ONNX model of trained networks: input `patches` uint8 [N, 3, 32, 32], planar RGB; output `probabilities` float32
 * [N, 3], softmax. It carries the description, so that `readModel` gets back all that went in, and whatever `properties` say of it.
 */
export function patchGraph(contents: ModelContents, properties: Readonly<Record<string, string>> = {}): Uint8Array {
  checkContents(contents);
  const { network, members, channelMeans } = contents;
  const graph = new Graph();
  const patches = graph.input("patches", "uint8", ["N", 3, network.patchSizePx, network.patchSizePx]);
  const means = graph.float32(MODEL_NAMES.channelMeans, [3], channelMeans);
  const pixels = centred(graph, patches, means, network.inputScale);
  const probabilities = meanOfMembers(graph, contents, (weights) => {
    let value = pixels;
    for (const { placed, parameters } of dealParameters(placeLayers(network), weights)) {
      value = operatorOf(placed.layer).forward(graph, placed.layer, value, parameters);
    }
    return graph.node("Softmax", [graph.reshape(value, [-1, network.classes])], { axis: 1 });
  });
  graph.output("probabilities", probabilities, "float32", ["N", network.classes]);
  return graph.model({
    ...properties,
    [MODEL_NAMES.network]: JSON.stringify(network),
    ...(members.length > 1 ? { [MODEL_NAMES.members]: String(members.length) } : {}),
  });
}
