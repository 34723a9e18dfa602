/** @file One training step as an ONNX graph: forward, backward and optimizer. */
import { invalid } from "../errors.ts";
import { type Planes, plainPlanes } from "./blocked/planes.ts";
import { forwardSteps, type PlanesStep } from "./forward-steps.ts";
import { Graph, type Value } from "./graph.ts";
import { centred } from "./input.ts";
import { crossEntropy } from "./loss.ts";
import type { NetworkDescription } from "./network-description.ts";
import { OPTIMIZERS, type OptimizerName } from "./optimizers.ts";
import { layoutSize, type Parameter, parameterLayout } from "./parameters.ts";

/** What is fixed when a training graph is written. */
export interface TrainingOptions {
  readonly batchSize: number;
  /** Times the weights (never the biases) is added to the gradient; the loss is given without it. */
  readonly weightDecay: number;
  readonly optimizer: OptimizerName;
  /**
   * Channels in a block of ONNX Runtime's blocked convolutions on this CPU (`Runtime.channelBlock`): variant C. Without it, or with 0, every node
   * is a standard one (variant A).
   */
  readonly channelBlock?: number;
  /** True adds the output `gradient` [T]: what the optimizer gets, weight decay included. */
  readonly gradients?: boolean;
}

/**
 * Returns the ONNX model of one step. Inputs: `patches` uint8 [N, 3, 32, 32], `labels` int32 [N] in 0..2, `classWeights`
 * [3], `learningRate` scalar (the optimizer's `rateAt`), `channelMeans` [3], `parameters` [T], `accumulators` [T x the
 * optimizer's `accumulatorsPerParameter`]; outputs: `loss` scalar, `parametersOut`, `accumulatorsOut`; float32 where nothing else is said, N the batch size, T
 * the layout's size.
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
  const optimizer = OPTIMIZERS[options.optimizer];
  const accumulatorsSize = size * optimizer.accumulatorsPerParameter;
  const accumulators = graph.input("accumulators", "float32", [accumulatorsSize]);

  const arrays = splitParameters(graph, parameters, layout);
  const pixels = centred(graph, patches, channelMeans, network.inputScale);
  const steps = forwardSteps(graph, network, pixels, arrays, { batchSize, block: options.channelBlock ?? 0 });
  const logits = graph.reshape(steps.at(-1)!.output.plain(), [batchSize, network.classes]);
  const { loss, logitsGradient } = crossEntropy(graph, {
    logits,
    labels,
    classWeights,
    batchSize,
    classes: network.classes,
  });
  const outputGradient = graph.reshape(logitsGradient, [batchSize, network.classes, 1, 1]);
  const gradients = decayed(graph, backward(steps, plainPlanes(graph, outputGradient)), arrays, layout, weightDecay);
  const gradient = graph.node(
    "Concat",
    gradients.map((array) => graph.reshape(array, [-1])),
    { axis: 0 },
  );
  const next = optimizer.write(graph, { parameters, gradient, accumulators, learningRate }, size);

  graph.output("loss", loss, "float32", []);
  graph.output("parametersOut", next.parameters, "float32", [size]);
  graph.output("accumulatorsOut", next.accumulators, "float32", [accumulatorsSize]);
  if (options.gradients === true) graph.output("gradient", gradient, "float32", [size]);
  return graph.model();
}

/** The arrays that lie in the flat vector, in the layout's order. */
function splitParameters(graph: Graph, parameters: Value, layout: readonly Parameter[]): readonly Value[] {
  const sizes = graph.int64s(layout.map(({ size }) => size));
  const parts = graph.nodes("Split", [parameters, sizes], layout.length, { axis: 0 });
  return parts.map((part, i) => graph.reshape(part, layout[i]!.shape));
}

/** The loss's gradient by each parameter array, in the layout's order. */
function backward(steps: readonly PlanesStep[], outputGradient: Planes): readonly Value[] {
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
