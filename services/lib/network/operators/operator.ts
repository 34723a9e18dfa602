/** @file What every operator brings: its rule of shapes, and how it is written into each of the graphs. */
import type { Graph, Value } from "../graph.ts";
import type { Layer, Shape } from "../layers.ts";

/** One array of parameters of a layer. */
export interface ParameterShape {
  readonly kind: "weight" | "bias";
  readonly shape: readonly number[];
}

/** What a layer gets in the training graph: `value` is [N, channels, sidePx, sidePx] of `shape`. */
export interface TrainingInput {
  readonly value: Value;
  readonly shape: Shape;
}

/** A layer's forward pass and, from the gradient by its output, the backward pass. */
export interface TrainingStep {
  readonly output: Value;
  /** Returns the loss's gradient by each parameter, in the order of `Operator.parameters`. */
  parameterGradients(outputGradient: Value): readonly Value[];
  /** Returns the loss's gradient by the layer's input; the first layer is not asked. */
  inputGradient(outputGradient: Value): Value;
}

/** An operator for layers `L`. Without a gradient it is not an operator: the table of operators does not compile. */
export interface Operator<L extends Layer> {
  /** Returns the shape that the layer makes of `input`, or why it cannot. */
  outputShape(layer: L, input: Shape): Shape | { readonly problem: string };
  parameters(layer: L, input: Shape): readonly ParameterShape[];
  /** The layer for patches: value [N, channels, side, side]. */
  forward(graph: Graph, layer: L, input: Value, parameters: readonly Value[]): Value;
  /**
   * The layer for every position of a region at once: value [1, channels, height, width]. Neighbours of a patch's value
   * lie `dilation` apart, because earlier pools kept every position (METHOD.md, Dense evaluation).
   */
  dense(graph: Graph, layer: L, input: Value, parameters: readonly Value[], dilation: number): Value;
  /** The side of the window of inputs that one output is computed from. */
  windowPx(layer: L): number;
  /**
   * The layer at listed places: value [places, windowPx², channels], each place's window row by row, or [places, channels] where the
   * window is one value. Returns [places, channels].
   */
  places(graph: Graph, layer: L, windows: Value, parameters: readonly Value[], input: Shape): Value;
  /** The factor by which the layer thins out a patch's values; later layers are dilated by the product. */
  stride(layer: L): number;
  train(graph: Graph, layer: L, input: TrainingInput, parameters: readonly Value[]): TrainingStep;
}
