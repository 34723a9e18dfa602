/**
 * @file The first convolution on pixels, of 3 channels: too few for a block. Its pool's windows are never taken apart: each place of a
 * window is a convolution of its own, with the pool's size as its stride.
 */
import type { Graph, Value } from "../graph.ts";
import type { Stage } from "./stage.ts";

/** What the weights' gradient is made of. */
export interface FirstGradient {
  /** Plain [N, 3, S, S]. */
  readonly pixels: Value;
  /** The gradient at each place of a window, blocked [N, O, pooled, pooled]. */
  readonly shares: readonly Value[];
}

/** Returns the convolution at each place of the pool's windows, row by row: blocked [N, O, pooled, pooled]. */
export function firstPlaces(
  graph: Graph,
  { input, poolPx }: Stage,
  pixels: Value,
  filter: Value,
  bias: Value,
): readonly Value[] {
  if (poolPx === 1) return [graph.blocked("Conv", [pixels, filter, bias])];
  const needed = input.sidePx + 1 - poolPx;
  return Array.from({ length: poolPx ** 2 }, (_, place) => {
    const [row, column] = [Math.floor(place / poolPx), place % poolPx];
    const starts = graph.int64s([row, column]);
    const ends = graph.int64s([row + needed, column + needed]);
    const shifted = graph.node("Slice", [pixels, starts, ends, graph.int64s([2, 3])]);
    return graph.blocked("Conv", [shifted, filter, bias], { strides: [poolPx, poolPx] });
  });
}

/**
 * dW[o, c, y, x] = sum over places (a, b) of windows, images n and windows (h, w) of pixels[n, c, p h + a + y, p w + b + x] *
 * share(a, b)[n, o, h, w]: a matrix product per place with the pixels at every tap of a p x p grid, of whose rows each place needs its own.
 * Returns [O, 3, k, k].
 */
export function firstWeightGradient(graph: Graph, stage: Stage, { pixels, shares }: FirstGradient): Value {
  const { layer, input, poolPx: p, batchSize } = stage;
  const { kernelPx: k, channels: outputs } = layer;
  const grid = input.sidePx / p;
  const pooledPx = (input.sidePx - k + 1) / p;
  const taps = Math.floor((k + p - 2) / p) + 1;
  const depth = input.channels * p * p;
  const columns = batchSize * pooledPx ** 2;
  // space to depth: [channel, row, column within a cell of the grid; image, cell]
  const cells = graph.reshape(pixels, [batchSize, input.channels, grid, p, grid, p]);
  const deep = graph.reshape(graph.node("Transpose", [cells], { perm: [1, 3, 5, 0, 2, 4] }), [
    depth,
    batchSize,
    grid,
    grid,
  ]);
  const axes = graph.int64s([2, 3]);
  const shifted = Array.from({ length: taps ** 2 }, (_, tap) => {
    const [row, column] = [Math.floor(tap / taps), tap % taps];
    const starts = graph.int64s([row, column]);
    const ends = graph.int64s([row + pooledPx, column + pooledPx]);
    return graph.reshape(graph.node("Slice", [deep, starts, ends, axes]), [depth, columns]);
  });
  const matrix = shifted.length === 1 ? shifted[0]! : graph.node("Concat", shifted, { axis: 0 });
  // ONNX Runtime gives threads parts of a product's longer side. Parts of columns change how it cuts the sums, parts of rows do not: the
  // longer side has to be the rows, or a step's bits would depend on the number of threads.
  const isWide = outputs > depth * taps ** 2;
  const parts = shares.map((share, place) => {
    const last = graph.blocked("ReorderOutput", [share], { channels: outputs, channels_last: 1 });
    const byOutput = graph.reshape(last, [columns, outputs]);
    const product = isWide
      ? graph.node("Gemm", [byOutput, matrix], { transA: 1, transB: 1 })
      : graph.node("MatMul", [matrix, byOutput]);
    const rows = graph.int64s(rowsOf(stage, taps, Math.floor(place / p), place % p));
    return graph.node("Gather", [product, rows], { axis: isWide ? 1 : 0 });
  });
  const total = parts.reduce((sum, part) => graph.node("Add", [sum, part]));
  const ordered = isWide ? total : graph.node("Transpose", [total], { perm: [1, 0] });
  return graph.reshape(ordered, [outputs, input.channels, k, k]);
}

/** The rows of the product that are dW's (c, y, x) for the place (a, b). */
function rowsOf({ layer, input, poolPx: p }: Stage, taps: number, a: number, b: number): number[] {
  const rows: number[] = [];
  for (let c = 0; c < input.channels; c++) {
    for (let y = a; y < a + layer.kernelPx; y++) {
      for (let x = b; x < b + layer.kernelPx; x++) {
        const tap = Math.floor(y / p) * taps + Math.floor(x / p);
        rows.push((tap * input.channels + c) * p * p + (y % p) * p + (x % p));
      }
    }
  }
  return rows;
}
