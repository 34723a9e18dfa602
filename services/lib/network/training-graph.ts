/** @file One training step as a plain ONNX graph: forward, backward and AdaGrad (variant A of METHOD.md's compute class). */
import { invalid } from "../errors.ts";
import { Graph, type Value } from "./graph.ts";
import { centred } from "./input.ts";
import type { Layer } from "./layers.ts";
import { crossEntropy } from "./loss.ts";
import { type NetworkDescription, placeLayers } from "./network-description.ts";
import type { TrainingStep } from "./operators/operator.ts";
import { operatorOf } from "./operators/table.ts";
import { dealParameters, layoutSize, type Parameter, parameterLayout } from "./parameters.ts";

/** What is fixed when a training graph is written. */
export interface TrainingOptions {
  readonly batchSize: number;
  /** Times the weights (never the biases) is added to the gradient; the loss is given without it. */
  readonly weightDecay: number;
  /** True adds the output `gradient` [T]: what AdaGrad gets, weight decay included. */
  readonly gradients?: boolean;
}

/** AdaGrad's epsilon (PyTorch's default). */
const EPSILON = 1e-10;

/**
 * Returns the ONNX model of one step. Inputs: `patches` uint8 [N, 3, 32, 32], `labels` int32 [N] in 0..2, `classWeights`
 * [3], `learningRate` scalar, `channelMeans` [3], `parameters` [T], `accumulators` [T]; outputs: `loss` scalar,
 * `parametersOut` [T], `accumulatorsOut` [T]; float32 where nothing else is said, N the batch size, T the layout's size.
 */
export function trainingGraph(network: NetworkDescription, options: TrainingOptions): Uint8Array {
  const { batchSize, weightDecay } = options;
  if (!(Number.isInteger(batchSize) && batchSize > 0 && weightDecay >= 0)) {
    const given = `batch size "${batchSize}" and weight decay "${weightDecay}"`;
    throw invalid("TRAINING_OPTIONS_INVALID", `Cannot train with ${given}: at least 1 and at least 0 are needed`);
  }
  const graph = new Graph();
  const layout = parameterLayout(network);
  const size = layoutSize(layout);
  const patches = graph.input("patches", "uint8", [batchSize, 3, network.patchSizePx, network.patchSizePx]);
  const labels = graph.input("labels", "int32", [batchSize]);
  const classWeights = graph.input("classWeights", "float32", [network.classes]);
  const learningRate = graph.input("learningRate", "float32", []);
  const channelMeans = graph.input("channelMeans", "float32", [network.channels]);
  const parameters = graph.input("parameters", "float32", [size]);
  const accumulators = graph.input("accumulators", "float32", [size]);

  const arrays = splitParameters(graph, parameters, layout);
  const pixels = centred(graph, patches, channelMeans, network.inputScale);
  const { steps, output } = forward(graph, network, pixels, arrays);
  const logits = graph.reshape(output, [batchSize, network.classes]);
  const { loss, logitsGradient } = crossEntropy(graph, {
    logits,
    labels,
    classWeights,
    batchSize,
    classes: network.classes,
  });
  const outputGradient = graph.reshape(logitsGradient, [batchSize, network.classes, 1, 1]);
  const gradients = decayed(graph, backward(steps, outputGradient), arrays, layout, weightDecay);
  const gradient = graph.node(
    "Concat",
    gradients.map((array) => graph.reshape(array, [-1])),
    { axis: 0 },
  );
  const next = adaGrad(graph, { parameters, accumulators, gradient, learningRate });

  graph.output("loss", loss, "float32", []);
  graph.output("parametersOut", next.parameters, "float32", [size]);
  graph.output("accumulatorsOut", next.accumulators, "float32", [size]);
  if (options.gradients === true) graph.output("gradient", gradient, "float32", [size]);
  return graph.model();
}

/** The arrays that lie in the flat vector, in the layout's order. */
function splitParameters(graph: Graph, parameters: Value, layout: readonly Parameter[]): readonly Value[] {
  const sizes = graph.int64s(layout.map(({ size }) => size));
  const parts = graph.nodes("Split", [parameters, sizes], layout.length, { axis: 0 });
  return parts.map((part, i) => graph.reshape(part, layout[i]!.shape));
}

function forward(graph: Graph, network: NetworkDescription, input: Value, arrays: readonly Value[]) {
  const layers = placeLayers({ ...network, layers: poolsFirst(network.layers) });
  let output = input;
  const steps = dealParameters(layers, arrays).map(({ placed, parameters }) => {
    const at = { value: output, shape: placed.input };
    const step = operatorOf(placed.layer).train(graph, placed.layer, at, parameters);
    output = step.output;
    return step;
  });
  return { steps, output };
}

/**
 * The layers with every ReLU behind the pool that followed it. Both orders have the same values and gradients (ReLU is
 * monotonic; where it would have tied a window at 0, no gradient passes either way), and a pool leaves it less to do.
 */
export function poolsFirst(layers: readonly Layer[]): Layer[] {
  const ordered: Layer[] = [];
  for (const layer of layers) {
    const relus =
      layer.type === "maxPool" ? ordered.length - 1 - ordered.findLastIndex(({ type }) => type !== "relu") : 0;
    ordered.splice(ordered.length - relus, 0, layer);
  }
  return ordered;
}

/** The loss's gradient by each parameter array, in the layout's order. */
function backward(steps: readonly TrainingStep[], outputGradient: Value): readonly Value[] {
  const gradients: Value[] = [];
  let flowing = outputGradient;
  steps.toReversed().forEach((step, fromLast) => {
    gradients.unshift(...step.parameterGradients(flowing));
    if (fromLast < steps.length - 1) flowing = step.inputGradient(flowing); // nobody asks for the gradient by the pixels
  });
  return gradients;
}

function decayed(
  graph: Graph,
  gradients: readonly Value[],
  arrays: readonly Value[],
  layout: readonly Parameter[],
  weightDecay: number,
): readonly Value[] {
  if (weightDecay === 0) return gradients;
  const decay = graph.scalar(weightDecay);
  return gradients.map((gradient, i) =>
    layout[i]!.kind === "weight" ? graph.node("Add", [gradient, graph.node("Mul", [arrays[i]!, decay])]) : gradient,
  );
}

interface AdaGradInputs {
  readonly parameters: Value;
  readonly accumulators: Value;
  readonly gradient: Value;
  readonly learningRate: Value;
}

/** A' = A + g², P' = P - rate * g / (sqrt(A') + epsilon) (Duchi et al., JMLR 2011). */
function adaGrad(graph: Graph, { parameters, accumulators, gradient, learningRate }: AdaGradInputs) {
  const grown = graph.node("Add", [accumulators, graph.node("Mul", [gradient, gradient])]);
  const scale = graph.node("Add", [graph.node("Sqrt", [grown]), graph.scalar(EPSILON)]);
  const change = graph.node("Div", [graph.node("Mul", [gradient, learningRate]), scale]);
  return { parameters: graph.node("Sub", [parameters, change]), accumulators: grown };
}
