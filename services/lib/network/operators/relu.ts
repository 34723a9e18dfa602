/** @file y = max(x, 0). */
import type { ReluLayer } from "../layers.ts";
import type { Operator } from "./operator.ts";

/** The rectifier. dx = dy where y > 0, else 0: at x = 0 the gradient is 0, as in PyTorch. */
export const relu: Operator<ReluLayer> = {
  outputShape: (_layer, input) => input,
  parameters: () => [],
  forward: (graph, _layer, input) => graph.node("Relu", [input]),
  dense: (graph, _layer, input) => graph.node("Relu", [input]),
  windowPx: () => 1,
  places: (graph, _layer, values) => graph.node("Relu", [values]),
  stride: () => 1,
  train(graph, _layer, { value }) {
    const output = graph.node("Relu", [value]);
    return {
      output,
      parameterGradients: () => [],
      inputGradient: (outputGradient) =>
        graph.node("Where", [graph.node("Greater", [output, graph.scalar(0)]), outputGradient, graph.scalar(0)]),
    };
  },
};
