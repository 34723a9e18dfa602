/**
 * @file A convolution with the pool and the rectifier behind it, written for CPUs (variant C of METHOD.md's compute class): the same
 * numbers as the portable operators give, to the order of float32 sums, in about half the time.
 */
import type { Graph, Value } from "../graph.ts";
import type { ConvLayer, Shape } from "../layers.ts";
import { firstMaximumTakes } from "../operators/max-pool.ts";
import { blockedFilter, plainInputFilter, turnedWeight } from "./filters.ts";
import { type FirstGradient, firstPlaces, firstWeightGradient } from "./first-convolution.ts";
import { blockedPlanes, type Planes } from "./planes.ts";

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
  if (isFirst) return fits && input.channels < block && input.sidePx % poolPx === 0;
  return fits && whole(input.channels) && whole(batchSize);
}

/** Writes a stage; `weight` [O, I, k, k], `bias` [O]. */
export function blockedStage(graph: Graph, stage: Stage, input: Planes, weight: Value, bias: Value): StageStep {
  const { layer, poolPx, hasRelu, batchSize, block, isFirst } = stage;
  const { channels } = layer;
  const filter = { outputs: channels, inputs: stage.input.channels, kernelPx: layer.kernelPx, block };
  const side = stage.input.sidePx - layer.kernelPx + 1;
  const pooledPx = side / poolPx;
  const shape = [batchSize, channels, pooledPx, pooledPx];

  const places = isFirst
    ? firstPlaces(graph, stage, input.plain(), plainInputFilter(graph, weight, filter), bias)
    : windowPlaces(graph, graph.blocked("Conv", [input.blocked(), blockedFilter(graph, weight, filter), bias]), {
        rows: (batchSize * channels) / block,
        poolPx,
        pooledPx,
        block,
        shape,
      });
  const maximum = places.reduce((most, place) => graph.node("Max", [most, place]));
  const output = hasRelu ? graph.node("Relu", [maximum]) : maximum;

  /** The gradient by what the rectifier got, blocked; asked for twice, written once. */
  const memo = new Map<Planes, { gated: Value; shares: readonly Value[] }>();
  const passBack = (gradient: Planes) => {
    const known = memo.get(gradient);
    if (known) return known;
    const given = gradient.blocked();
    const isPositive = (): Value => graph.node("Greater", [output, graph.scalar(0)]);
    const gated = hasRelu ? graph.node("Where", [isPositive(), given, graph.scalar(0)]) : given;
    const made = { gated, shares: firstMaximumTakes(graph, places, maximum, gated) };
    memo.set(gradient, made);
    return made;
  };
  const whole = new Map<Planes, Value>();
  /** The gradient by the convolution's output, blocked [N, O, side, side]. */
  const convolutionGradient = (gradient: Planes): Value => {
    const known = whole.get(gradient);
    if (known !== undefined) return known;
    const rows = (batchSize * channels) / block;
    const made = joinPlaces(graph, passBack(gradient).shares, { rows, poolPx, pooledPx, block });
    const value = graph.reshape(made, [batchSize, channels, side, side]);
    whole.set(gradient, value);
    return value;
  };
  return {
    output: blockedPlanes(graph, output, channels),
    parameterGradients: (gradient) => {
      const { gated, shares } = passBack(gradient);
      // what a pool passes back adds up to what it got, so the bias needs the pooled gradient only
      const byBlock = graph.reshape(gated, [batchSize, channels / block, pooledPx ** 2, block]);
      const biasGradient = graph.reshape(graph.sum(byBlock, [0, 2]), [channels]);
      const parts: FirstGradient = { pixels: input.plain(), shares };
      const weightGradient = isFirst
        ? firstWeightGradient(graph, stage, parts)
        : swappedWeightGradient(graph, stage, input, convolutionGradient(gradient));
      return [weightGradient, biasGradient];
    },
    inputGradient: (gradient) => {
      const { inputs, outputs, kernelPx } = filter;
      const turned = blockedFilter(graph, turnedWeight(graph, weight), {
        outputs: inputs,
        inputs: outputs,
        kernelPx,
        block,
      });
      const pads = new Array<number>(4).fill(kernelPx - 1);
      const full = graph.blocked("Conv", [convolutionGradient(gradient), turned], { pads });
      return blockedPlanes(graph, full, inputs);
    },
  };
}

interface Windows {
  /** N * O / B: planes of blocks. */
  readonly rows: number;
  readonly poolPx: number;
  readonly pooledPx: number;
  readonly block: number;
}

/** The values at each place of a window, row by row, of a blocked value: contiguous slices, for a block is the last axis. */
function windowPlaces(
  graph: Graph,
  value: Value,
  { rows, poolPx, pooledPx, block, shape }: Windows & { readonly shape: readonly number[] },
): readonly Value[] {
  if (poolPx === 1) return [value];
  const view = graph.reshape(value, [rows * pooledPx, poolPx, pooledPx, poolPx * block]);
  const axes = graph.int64s([1, 3]);
  return Array.from({ length: poolPx ** 2 }, (_, place) => {
    const [row, column] = [Math.floor(place / poolPx), place % poolPx];
    const starts = graph.int64s([row, column * block]);
    const ends = graph.int64s([row + 1, (column + 1) * block]);
    return graph.reshape(graph.node("Slice", [view, starts, ends, axes]), shape);
  });
}

/** The inverse of `windowPlaces`. */
function joinPlaces(graph: Graph, places: readonly Value[], { rows, poolPx, pooledPx, block }: Windows): Value {
  if (places.length === 1) return places[0]!;
  const cells = places.map((place) => graph.reshape(place, [rows * pooledPx, 1, pooledPx, block]));
  const lines = Array.from({ length: poolPx }, (_, row) =>
    graph.node("Concat", cells.slice(row * poolPx, (row + 1) * poolPx), { axis: 3 }),
  );
  return graph.node("Concat", lines, { axis: 1 });
}

/** dW[o, i] correlates x[i] with dy[o] over the batch: a blocked convolution with batch and channels exchanged. */
function swappedWeightGradient(
  graph: Graph,
  { layer, input, batchSize, block }: Stage,
  planes: Planes,
  gradient: Value,
): Value {
  const side = input.sidePx - layer.kernelPx + 1;
  const exchange = (value: Value): Value => graph.node("Transpose", [value], { perm: [1, 0, 2, 3] });
  const byImage = graph.blocked("ReorderInput", [exchange(planes.plain())]); // [I, N, S, S], blocks of images
  // as a filter: [O/B, N/B, side, side, B images, B outputs]
  const blocks = graph.reshape(gradient, [batchSize / block, block, layer.channels / block, side ** 2, block]);
  const filter = graph.node("Transpose", [blocks], { perm: [2, 0, 3, 1, 4] });
  const swapped = graph.blocked("Conv", [byImage, graph.reshape(filter, [layer.channels, batchSize, side, side])]);
  return exchange(graph.blocked("ReorderOutput", [swapped], { channels: layer.channels }));
}
