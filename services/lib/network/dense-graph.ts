/** @file The model that evaluates a whole region at once (METHOD.md, Dense evaluation). */
import { Graph } from "./graph.ts";
import { centred } from "./input.ts";
import { meanOfMembers } from "./members.ts";
import { checkContents, MODEL_NAMES, type ModelContents } from "./model-contents.ts";
import { placeLayers } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";
import { dealParameters } from "./parameters.ts";

/**
 * Returns the ONNX model that gives, at every pixel, what `patchGraph` gives for the patch around it: input `region` uint8
 * [1, 3, H + 31, W + 31] (16 px of surroundings before the evaluated pixels, 15 after), output `probabilities` float32
 * [1, 3, H, W]; H and W from 1 up. Pools keep every position (stride 1), so what comes after a pool of size p finds its
 * inputs p apart: dilation (Giusti et al., ICIP 2013; Yu and Koltun, ICLR 2016).
 */
export function denseGraph(contents: ModelContents): Uint8Array {
  checkContents(contents);
  const { network, channelMeans } = contents;
  const graph = new Graph();
  const region = graph.input("region", "uint8", [1, 3, "regionHeight", "regionWidth"]);
  const means = graph.float32(MODEL_NAMES.channelMeans, [3], channelMeans);
  const pixels = centred(graph, region, means, network.inputScale);
  const probabilities = meanOfMembers(graph, contents, (weights) => {
    let value = pixels;
    let dilation = 1;
    for (const { placed, parameters } of dealParameters(placeLayers(network), weights)) {
      const operator = operatorOf(placed.layer);
      value = operator.dense(graph, placed.layer, value, parameters, dilation);
      dilation *= operator.stride(placed.layer);
    }
    return graph.node("Softmax", [value], { axis: 1 });
  });
  graph.output("probabilities", probabilities, "float32", [1, network.classes, "height", "width"]);
  return graph.model();
}
