/** @file The loss and its gradient by the logits, of operators that every provider has (no LogSoftmax, no OneHot). */
import { dataType, type Graph, type Value } from "./graph.ts";

/** Names of what the loss is made of; `logits` [N, classes], `labels` int32 [N], `classWeights` [classes]. */
export interface LossInputs {
  readonly logits: Value;
  readonly labels: Value;
  readonly classWeights: Value;
  readonly batchSize: number;
  readonly classes: number;
}

/**
 * Writes the weighted cross-entropy: loss = sum over i of w[y_i] * -log p_i[y_i] / N, p = softmax(logits), a scalar.
 * dloss/dlogits_i = w[y_i] * (p_i - onehot(y_i)) / N.
 */
export function crossEntropy(
  graph: Graph,
  inputs: LossInputs,
): { readonly loss: Value; readonly logitsGradient: Value } {
  const { logits, labels, classWeights, batchSize, classes } = inputs;
  // less the greatest logit: exp cannot overflow, and p stays the same
  const greatest = graph.node("ReduceMax", [logits, graph.int64s([1])], { keepdims: 1 });
  const shifted = graph.node("Sub", [logits, greatest]);
  const exponentials = graph.node("Exp", [shifted]);
  const total = graph.sum(exponentials, [1], true);
  const logProbabilities = graph.node("Sub", [shifted, graph.node("Log", [total])]);

  const allClasses = graph.int32s(Array.from({ length: classes }, (_, index) => index));
  const isLabel = graph.node("Equal", [graph.reshape(labels, [batchSize, 1]), allClasses]);
  const oneHot = graph.node("Cast", [isLabel], { to: dataType("float32") });
  const weighted = graph.node("Mul", [oneHot, classWeights]);
  const size = graph.scalar(batchSize);
  const likelihood = graph.sum(graph.node("Mul", [logProbabilities, weighted]), [0, 1]);

  const sampleWeights = graph.sum(weighted, [1], true);
  const error = graph.node("Sub", [graph.node("Div", [exponentials, total]), oneHot]);
  return {
    loss: graph.node("Neg", [graph.node("Div", [likelihood, size])]),
    logitsGradient: graph.node("Div", [graph.node("Mul", [error, sampleWeights]), size]),
  };
}
