/**
 * @file A convolution with the pool and the rectifier behind it, written for CPUs (variant C of METHOD.md's compute class): the same
 * numbers as the portable operators give, to the order of float32 sums, in a third of the time.
 */
import type { Graph, Value } from "../graph.ts";
import type { ConvLayer, Shape } from "../layers.ts";
import { correlation, exchanged, imagesAsChannels, widened } from "./correlation.ts";
import { blockedFilter, plainInputFilter, turnedWeight } from "./filters.ts";
import { firstPlaces, firstWeightGradient } from "./first-convolution.ts";
import { blockedPlanes, oncePer, type Planes } from "./planes.ts";
import { joinPlaces, leftBehind, runningMaxima, shares, type Windows, whereOpen, windowPlaces } from "./pool.ts";

/** What a stage is made of. */
export interface Stage {
  readonly layer: ConvLayer;
  /** Side of the max pool's windows; 1 where there is no pool. */
  readonly poolPx: number;
  readonly hasRelu: boolean;
  readonly input: Shape;
  /** True for the network's first layer: its input is the pixels, and nobody asks for their gradient. */
  readonly isFirst: boolean;
  readonly batchSize: number;
  readonly block: number;
}

/** A stage's forward pass and, from the gradient by its output, the backward pass. */
export interface StageStep {
  readonly output: Planes;
  /** By weight and bias. */
  parameterGradients(outputGradient: Planes): readonly [Value, Value];
  inputGradient(outputGradient: Planes): Planes;
}

/** True if a stage can be written in blocks; what cannot stays with the portable operators. */
export function canBlock({ layer, poolPx, input, isFirst, batchSize, block }: Stage): boolean {
  const whole = (count: number): boolean => count % block === 0;
  const side = input.sidePx - layer.kernelPx + 1;
  const fits = whole(layer.channels) && side % poolPx === 0 && side > 1;
  const fitsInput = isFirst ? input.channels < block : whole(input.channels);
  return fits && fitsInput && whole(batchSize);
}

/** Writes a stage; `weight` [O, I, k, k], `bias` [O]. */
export function blockedStage(graph: Graph, stage: Stage, input: Planes, weight: Value, bias: Value): StageStep {
  const { layer, poolPx, hasRelu, batchSize, block, isFirst } = stage;
  const { channels } = layer;
  const filter = { outputs: channels, inputs: stage.input.channels, kernelPx: layer.kernelPx, block };
  const side = stage.input.sidePx - layer.kernelPx + 1;
  const pooledPx = side / poolPx;
  const windows: Windows = { rows: (batchSize * channels) / block, poolPx, pooledPx, block };

  const convolved = (): Value => graph.blocked("Conv", [input.blocked(), blockedFilter(graph, weight, filter), bias]);
  const places = isFirst
    ? firstPlaces(graph, stage, input.plain(), plainInputFilter(graph, weight, filter), bias)
    : windowPlaces(graph, convolved(), windows, [batchSize, channels, pooledPx, pooledPx]);
  const maxima = runningMaxima(graph, places);
  const maximum = maxima.at(-1)!;
  const output = hasRelu ? graph.node("Relu", [maximum]) : maximum;

  /** What is left of the gradient by the convolution's output behind each place, blocked. */
  const passBack = oncePer((gradient) => {
    const given = gradient.blocked();
    return leftBehind(graph, maxima, hasRelu ? whereOpen(graph, given, output) : given);
  });
  /** The gradient by the convolution's output, blocked [N, O, side, side]. */
  const convolutionGradient = oncePer((gradient) => {
    const made = joinPlaces(graph, shares(graph, passBack(gradient)), windows);
    return graph.reshape(made, [batchSize, channels, side, side]);
  });
  return {
    output: blockedPlanes(graph, output, channels),
    parameterGradients: (gradient) => {
      const left = passBack(gradient);
      // What a pool passes back adds up to what it got, so the bias needs the pooled gradient only.
      const means = graph.blocked("GlobalAveragePool", [left[0]!]);
      const biasGradient = graph.node("Mul", [
        graph.sum(graph.reshape(means, [batchSize, channels]), [0]),
        graph.scalar(pooledPx ** 2),
      ]);
      if (isFirst) return [firstWeightGradient(graph, stage, input.plain(), left), biasGradient];
      const images = imagesAsChannels(graph, input.plain());
      return [exchanged(graph, correlation(graph, stage, images, convolutionGradient(gradient), 1)), biasGradient];
    },
    inputGradient: (gradient) => {
      const { inputs, outputs, kernelPx } = filter;
      const turned = { ...filter, outputs: inputs, inputs: outputs };
      const turnedFilter = blockedFilter(graph, turnedWeight(graph, weight), turned);
      // A convolution computes the outputs that reach beyond a row one after the other, but not those beyond a column: rows get zeros.
      const margin = kernelPx - 1;
      const lines = { sidePx: side, block, before: margin, after: margin };
      const wide = widened(graph, convolutionGradient(gradient), lines);
      const planes = graph.reshape(wide, [batchSize, outputs, side, side + 2 * margin]);
      const full = graph.blocked("Conv", [planes, turnedFilter], { pads: [margin, 0, margin, 0] });
      return blockedPlanes(graph, full, inputs);
    },
  };
}
