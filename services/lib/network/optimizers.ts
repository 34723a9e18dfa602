/** @file How a step changes parameters, once their gradient is known. */
import type { Graph, Value } from "./graph.ts";

/** Names of what a step starts from: `parameters` and `gradient` [T], `accumulators` [T x `accumulatorsPerParameter`], `learningRate` scalar. */
export interface OptimizerInputs {
  readonly parameters: Value;
  readonly gradient: Value;
  readonly accumulators: Value;
  readonly learningRate: Value;
}

export interface Optimizer {
  /** Arrays of T that it keeps, one after the other. */
  readonly accumulatorsPerParameter: number;
  /** The graph's `learningRate` at step 1, 2, …, where the settings ask for `rate`. */
  readonly rateAt: (rate: number, step: number) => number;
  /** Writes the step; returns the names of the new parameters and accumulators. */
  readonly write: (graph: Graph, inputs: OptimizerInputs, size: number) => { parameters: Value; accumulators: Value };
}

/** PyTorch's. */
const ADAGRAD_EPSILON = 1e-10;
const ADAM_EPSILON = 1e-8;
/** The decay of Adam's means of gradients and of their squares. */
const BETA_1 = 0.9;
const BETA_2 = 0.999;

/** A' = A + g², P' = P - rate * g / (sqrt(A') + epsilon) (Duchi et al., JMLR 2011). */
const adaGrad: Optimizer = {
  accumulatorsPerParameter: 1,
  rateAt: (rate) => rate,
  write: (graph, { parameters, gradient, accumulators, learningRate }) => {
    const grown = graph.node("Add", [accumulators, graph.node("Mul", [gradient, gradient])]);
    const scale = graph.node("Add", [graph.node("Sqrt", [grown]), graph.scalar(ADAGRAD_EPSILON)]);
    const change = graph.node("Div", [graph.node("Mul", [gradient, learningRate]), scale]);
    return { parameters: graph.node("Sub", [parameters, change]), accumulators: grown };
  },
};

/**
 * m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g², P' = P - rate * m' / (sqrt(v') + epsilon), where the rate corrects the bias of both
 * means: rate * sqrt(1 - b2^t) / (1 - b1^t) at step t (Kingma and Ba, ICLR 2015, end of section 2).
 */
const adam: Optimizer = {
  accumulatorsPerParameter: 2,
  rateAt: (rate, step) => (rate * Math.sqrt(1 - BETA_2 ** step)) / (1 - BETA_1 ** step),
  write: (graph, { parameters, gradient, accumulators, learningRate }, size) => {
    const [mean, square] = graph.nodes("Split", [accumulators, graph.int64s([size, size])], 2, { axis: 0 });
    const blend = (old: Value, added: Value, decay: number): Value =>
      graph.node("Add", [
        graph.node("Mul", [old, graph.scalar(decay)]),
        graph.node("Mul", [added, graph.scalar(1 - decay)]),
      ]);
    const newMean = blend(mean!, gradient, BETA_1);
    const newSquare = blend(square!, graph.node("Mul", [gradient, gradient]), BETA_2);
    const scale = graph.node("Add", [graph.node("Sqrt", [newSquare]), graph.scalar(ADAM_EPSILON)]);
    const change = graph.node("Div", [graph.node("Mul", [newMean, learningRate]), scale]);
    return {
      parameters: graph.node("Sub", [parameters, change]),
      accumulators: graph.node("Concat", [newMean, newSquare], { axis: 0 }),
    };
  },
};

/** Every way to change parameters, by the name that settings give it. */
export const OPTIMIZERS = { adagrad: adaGrad, adam } as const;
export type OptimizerName = keyof typeof OPTIMIZERS;
