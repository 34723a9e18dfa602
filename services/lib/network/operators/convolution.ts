/** @file y[o] = b[o] + sum over c and the kernel of W[o, c] * x[c], without padding, stride 1. */
import type { Value } from "../graph.ts";
import type { ConvLayer } from "../layers.ts";
import type { Operator } from "./operator.ts";

const SWAP_FIRST_TWO = { perm: [1, 0, 2, 3] };

/** The valid convolution. Parameters: weight [channels, input channels, kernel, kernel], bias [channels]. */
export const convolution: Operator<ConvLayer> = {
  outputShape({ kernelPx, channels }, { sidePx }) {
    if (kernelPx > sidePx) return { problem: `its kernel of ${kernelPx} px is larger than its input of ${sidePx} px` };
    return { channels, sidePx: sidePx - kernelPx + 1 };
  },
  parameters: ({ kernelPx, channels }, input) => [
    { kind: "weight", shape: [channels, input.channels, kernelPx, kernelPx] },
    { kind: "bias", shape: [channels] },
  ],
  forward: (graph, _layer, input, parameters) => graph.node("Conv", [input, ...parameters]),
  dense: (graph, _layer, input, parameters, dilation) =>
    graph.node("Conv", [input, ...parameters], { dilations: [dilation, dilation] }),
  windowPx: ({ kernelPx }) => kernelPx,
  places(graph, { kernelPx, channels }, windows, [weight, bias], input) {
    if (weight === undefined || bias === undefined) throw new Error("A convolution has a weight and a bias");
    const inputs = kernelPx ** 2 * input.channels;
    // A window lies place by place, its channels together: so must the weights. Constants: folded when a session is made.
    const lying = graph.reshape(graph.node("Transpose", [weight], { perm: [2, 3, 1, 0] }), [inputs, channels]);
    return graph.node("Gemm", [graph.reshape(windows, [-1, inputs]), lying, bias]);
  },
  stride: () => 1,
  /**
   * dW[o, c] correlates x[c] with dy[o] over the batch: a convolution with batch and channels swapped.
   * dx is the full correlation of dy with W: a transposed convolution. db[o] sums dy[o].
   * Kernels that cover their input go the same way. ONNX Runtime cuts a matrix product's sums by the number of threads, if it is not written
   * with care (`blocked/covering-convolution.ts`), and a step's bits would depend on it; a Conv's sums it does not.
   */
  train(graph, _layer, { value }, [weight, bias]) {
    if (weight === undefined || bias === undefined) throw new Error("A convolution has a weight and a bias");
    const swap = (tensor: Value) => graph.node("Transpose", [tensor], SWAP_FIRST_TWO);
    return {
      output: graph.node("Conv", [value, weight, bias]),
      parameterGradients: (outputGradient) => [
        swap(graph.node("Conv", [swap(value), swap(outputGradient)])),
        graph.sum(outputGradient, [0, 2, 3]),
      ],
      inputGradient: (outputGradient) => graph.node("ConvTranspose", [outputGradient, weight]),
    };
  },
};
