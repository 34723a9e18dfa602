/**
 * @file A convolution whose kernel covers its input (METHOD.md's last layers), as matrix products: nothing slides, and ONNX Runtime's convolutions
 * take five times as long for it.
 */
import type { Graph, Value } from "../graph.ts";
import type { ConvLayer, Shape } from "../layers.ts";
import { oncePer, type Planes, plainPlanes } from "./planes.ts";
import { whereOpen } from "./pool.ts";
import type { StageStep } from "./stage.ts";

/** What a covering convolution is made of. */
export interface Covering {
  readonly layer: ConvLayer;
  readonly input: Shape;
  readonly hasRelu: boolean;
  readonly batchSize: number;
}

/** True if the kernel of a convolution covers its input. */
export const covers = ({ layer, input }: Covering): boolean => layer.kernelPx === input.sidePx;

/** Writes the convolution; `weight` [O, I, k, k], `bias` [O]. */
export function coveringStep(
  graph: Graph,
  { layer, input, hasRelu, batchSize }: Covering,
  value: Planes,
  weight: Value,
  bias: Value,
): StageStep {
  const { channels: outputs, kernelPx: k } = layer;
  const inputs = input.channels * k ** 2;
  const asRows = (planes: Planes, columns: number): Value => graph.reshape(planes.plain(), [batchSize, columns]);
  const asPlanes = (rows: Value, channels: number, sidePx: number): Planes =>
    plainPlanes(graph, graph.reshape(rows, [batchSize, channels, sidePx, sidePx]));
  const weights = graph.reshape(weight, [outputs, inputs]);
  const products = product(graph, { value: asRows(value, inputs) }, { value: weights, turned: true }, [
    batchSize,
    outputs,
  ]);
  const sums = graph.node("Add", [products, bias]);
  const output = hasRelu ? graph.node("Relu", [sums]) : sums;
  /** The gradient by the sums, [N, O]. */
  const passBack = oncePer((gradient) => {
    const given = asRows(gradient, outputs);
    return hasRelu ? whereOpen(graph, given, output) : given;
  });
  return {
    output: asPlanes(output, outputs, 1),
    parameterGradients: (gradient) => {
      const error = passBack(gradient);
      const byWeight = product(graph, { value: error, turned: true }, { value: asRows(value, inputs) }, [
        outputs,
        inputs,
      ]);
      return [graph.reshape(byWeight, [outputs, input.channels, k, k]), graph.sum(error, [0])];
    },
    inputGradient: (gradient) => {
      const error = passBack(gradient);
      return asPlanes(
        product(graph, { value: error }, { value: weights }, [batchSize, inputs]),
        input.channels,
        input.sidePx,
      );
    },
  };
}

/** A matrix, or what it is when turned over. */
interface Factor {
  readonly value: Value;
  readonly turned?: boolean;
}

/**
 * Returns a matrix product of so many rows and columns. ONNX Runtime gives threads parts of a product's longer side. Parts of columns
 * change how it cuts the sums, parts of rows do not: the longer side has to be the rows, or a step's bits would depend on the number of
 * threads.
 */
function product(graph: Graph, left: Factor, right: Factor, [rows, columns]: readonly [number, number]): Value {
  const flags = (a: boolean, b: boolean) => ({ transA: Number(a), transB: Number(b) });
  const { turned: leftTurned = false } = left;
  const { turned: rightTurned = false } = right;
  if (rows >= columns) return graph.node("Gemm", [left.value, right.value], flags(leftTurned, rightTurned));
  const turned = graph.node("Gemm", [right.value, left.value], flags(!rightTurned, !leftTurned));
  // ONNX Runtime would make a product and its Transpose one again; the axis between them keeps it from that.
  const parted = graph.reshape(turned, [columns, rows, 1]);
  return graph.reshape(graph.node("Transpose", [parted], { perm: [1, 0, 2] }), [rows, columns]);
}
