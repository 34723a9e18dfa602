/** @file METHOD.md, "Levels and geometry": which coarser pixel a pixel takes its decision from, one level at a time. */

import { rectAtLevel } from "./blocks.ts";
import type { Rect } from "./image.ts";
import { levelSize } from "./levels.ts";

/**
 * Returns the parent, in pixels of the coarser level, of pixel `x` of the finer level: the pixel that holds its centre,
 * min(floor((2x + 1) nFine / (2 nCoarse)), widthCoarse - 1). Rows alike. An ancestor two levels up is the parent's parent.
 */
export const parentIndex = (x: number, nFine: number, nCoarse: number, widthCoarse: number): number =>
  Math.min(Math.floor(((2 * x + 1) * nFine) / (2 * nCoarse)), widthCoarse - 1);

/** Returns the parents of the `count` pixels from `start` on, along one axis of an image of `fullPx` level-1 pixels. */
export const parentTable = (
  start: number,
  count: number,
  nFine: number,
  nCoarse: number,
  fullPx: number,
): Int32Array => {
  const widthCoarse = levelSize(fullPx, nCoarse);
  const parents = new Int32Array(count);
  for (let i = 0; i < count; i++) parents[i] = parentIndex(start + i, nFine, nCoarse, widthCoarse);
  return parents;
};

/** Where each column and row of a finer plane finds its parent in a coarser plane; indices within that plane. */
export interface ParentTables {
  readonly columns: Int32Array;
  readonly rows: Int32Array;
}

/**
 * Returns the tables of a tile: both planes cover the same rectangle (level-1 pixels, edges on the block grid or the border) of an
 * image of width x height level-1 pixels, so that every parent lies within it.
 */
export const parentTables = (
  area: Rect,
  width: number,
  height: number,
  nFine: number,
  nCoarse: number,
): ParentTables => {
  const fine = rectAtLevel(area, nFine);
  const coarse = rectAtLevel(area, nCoarse);
  const columns = parentTable(fine.x, fine.width, nFine, nCoarse, width);
  const rows = parentTable(fine.y, fine.height, nFine, nCoarse, height);
  return { columns: columns.map((x) => x - coarse.x), rows: rows.map((y) => y - coarse.y) };
};

/** Returns the tables from the finest to the coarsest of three levels: the parent's parent. */
export const composeParents = (toMiddle: ParentTables, toCoarse: ParentTables): ParentTables => ({
  columns: toMiddle.columns.map((x) => toCoarse.columns[x]!),
  rows: toMiddle.rows.map((y) => toCoarse.rows[y]!),
});

/** Returns the first place of an ascending list that holds at least `value`; its length where none does. */
export function lowerBound(list: Int32Array, value: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
