/** @file Convolution weights [O, I, k, k] in the orders that blocked convolutions read them. */
import type { Graph, Value } from "../graph.ts";

/** Sizes of a convolution's weights, and the block. */
export interface FilterShape {
  readonly outputs: number;
  readonly inputs: number;
  readonly kernelPx: number;
  readonly block: number;
}

/** Returns weights for a blocked input: [O/B, I/B, k, k, B inputs, B outputs]. */
export function blockedFilter(graph: Graph, weight: Value, { outputs, inputs, kernelPx, block }: FilterShape): Value {
  const split = graph.reshape(weight, [outputs / block, block, inputs / block, block, kernelPx, kernelPx]);
  const ordered = graph.node("Transpose", [split], { perm: [0, 2, 4, 5, 3, 1] });
  return graph.reshape(ordered, [outputs, inputs, kernelPx, kernelPx]);
}

/** Returns weights for a plain input of few channels: [O/B, I, k, k, B outputs]. */
export function plainInputFilter(
  graph: Graph,
  weight: Value,
  { outputs, inputs, kernelPx, block }: FilterShape,
): Value {
  const split = graph.reshape(weight, [outputs / block, block, inputs, kernelPx, kernelPx]);
  const ordered = graph.node("Transpose", [split], { perm: [0, 2, 3, 4, 1] });
  return graph.reshape(ordered, [outputs, inputs, kernelPx, kernelPx]);
}

/** Returns [I, O, k, k]: inputs and outputs exchanged, both axes of the kernel turned round. */
export function turnedWeight(graph: Graph, weight: Value): Value {
  const [starts, ends, axes, steps] = [
    [-1, -1],
    [-1_000_000, -1_000_000],
    [2, 3],
    [-1, -1],
  ].map((list) => graph.int64s(list));
  const turned = graph.node("Slice", [weight, starts!, ends!, axes!, steps!]);
  return graph.node("Transpose", [turned], { perm: [1, 0, 2, 3] });
}
