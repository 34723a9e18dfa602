/** @file The model that evaluates only the selected pixels of a region (METHOD.md 5, Sparse evaluation). */
import { blockedFront, blockedPlaces, blockedTable, canBlock, type DealtLayer } from "./blocked/places.ts";
import { Graph, type Value } from "./graph.ts";
import { centred } from "./input.ts";
import { meanOfMembers } from "./members.ts";
import { checkContents, MODEL_NAMES, type ModelContents } from "./model-contents.ts";
import { operatorOf } from "./operators/table.ts";
import { dealParameters } from "./parameters.ts";
import { gatheringLayer, windowedLayers } from "./windowed-layers.ts";

/**
 * Returns the ONNX model that gives `denseGraph`'s numbers at selected pixels. Layers before the gathering one are evaluated on
 * rectangles, that one and those behind it at the selected pixels only. Inputs: `regions` uint8 [rectangles, 3, h, w] and `windows` int32
 * [windowPx, N, windowPx] (`planWindows`). Output: `probabilities` float32 [3, N]. `channelBlock` is that of the runtime's CPU, 0 for
 * none; with it the numbers are those of `denseGraph` to the bit.
 */
export function sparseGraph(contents: ModelContents, channelBlock: number): Uint8Array {
  checkContents(contents);
  const { network, channelMeans } = contents;
  const layers = windowedLayers(network);
  const gathering = gatheringLayer(layers);
  if (gathering === undefined)
    throw new Error("A network whose first layer sees the whole patch has nothing to gather");
  const graph = new Graph();
  const regions = graph.input("regions", "uint8", ["rectangles", 3, "regionHeight", "regionWidth"]);
  const { windowPx } = layers[gathering]!;
  const windows = graph.input("windows", "int32", [windowPx, "selected", windowPx]);
  const means = graph.float32(MODEL_NAMES.channelMeans, [3], channelMeans);
  const pixels = centred(graph, regions, means, network.inputScale);
  const { channels } = layers[gathering]!.input;
  const probabilities = meanOfMembers(graph, contents, (constants) => {
    const dealt = dealParameters(layers, constants).map(({ parameters: values }, i) => ({ ...layers[i]!, values }));
    const [front, behind] = [dealt.slice(0, gathering), dealt.slice(gathering)];
    let logits: Value;
    if (canBlock(layers, channelBlock)) {
      const table = blockedTable(graph, blockedFront(graph, pixels, front, channelBlock), channels, channelBlock);
      const value = blockedPlaces(graph, table, windows, behind, channelBlock);
      logits = graph.reshape(value, [network.classes, -1]);
    } else {
      logits = graph.node("Transpose", [plainPlaces(graph, plainFront(graph, pixels, front), windows, behind)]);
    }
    return graph.node("Softmax", [logits], { axis: 0 });
  });
  graph.output("probabilities", probabilities, "float32", [network.classes, "selected"]);
  return graph.model();
}

const plainFront = (graph: Graph, pixels: Value, layers: readonly DealtLayer[]): Value =>
  layers.reduce(
    (value, { layer, values, dilation }) => operatorOf(layer).dense(graph, layer, value, values, dilation),
    pixels,
  );

/** Returns [selected, channels]. */
function plainPlaces(graph: Graph, front: Value, windows: Value, layers: readonly DealtLayer[]): Value {
  const { input, windowPx } = layers[0]!;
  const rows = graph.reshape(graph.node("Transpose", [front], { perm: [0, 2, 3, 1] }), [-1, input.channels]);
  const bySelected = graph.reshape(graph.node("Transpose", [windows], { perm: [1, 0, 2] }), [-1, windowPx ** 2]);
  const gathered = graph.node("Gather", [rows, bySelected], { axis: 0 });
  return layers.reduce(
    (value, placed) => operatorOf(placed.layer).places(graph, placed.layer, value, placed.values, placed.input),
    gathered,
  );
}
