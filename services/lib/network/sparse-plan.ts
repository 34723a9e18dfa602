/**
 * @file What a sparse evaluation computes for selected pixels (METHOD.md 5): rectangles of one size that lie over all that their windows
 * read, and for each window where in the rectangles its values are.
 */
import type { WindowedLayer } from "./windowed-layers.ts";

/** A rectangle of evaluated pixels, or of places of a layer. */
export interface EvaluatedSize {
  readonly width: number;
  readonly height: number;
}

/**
 * Rectangles of places of the layer before the gathering one. A convolution computes six places of a row at a time, and two more columns
 * are computed for the pool before it: 16 + 2 is a multiple of six. Smaller ones compute more beside what is needed, larger ones touch more.
 */
const RECTANGLE: EvaluatedSize = { width: 16, height: 12 };

/** Rectangles over the places of the layer before the gathering one, in bands: those of a band have one row of upper edges. */
export interface Cover {
  readonly rectangle: EvaluatedSize;
  /** Upper left corners: x, y, x, y, … */
  readonly corners: Int32Array;
  /** For each row of places the band that holds it. */
  readonly bands: Int32Array;
  /** Upper edges of bands. */
  readonly tops: Int32Array;
  /** Band by band, for each column of places: where its first place is among those of all rectangles (rectangle by rectangle, row by row). */
  readonly starts: Int32Array;
}

const gridOf = ({ width, height }: EvaluatedSize, marginPx: number): EvaluatedSize => ({
  width: width + marginPx,
  height: height + marginPx,
});

/** Returns the one rectangle that covers everything, for a layer with a margin of `marginPx`. */
export function wholeCover(size: EvaluatedSize, marginPx: number): Cover {
  const rectangle = gridOf(size, marginPx);
  return {
    rectangle,
    corners: Int32Array.of(0, 0),
    bands: new Int32Array(rectangle.height),
    tops: Int32Array.of(0),
    starts: Int32Array.from({ length: rectangle.width }, (_, x) => x),
  };
}

/**
 * Returns rectangles over all that windows of `layer` at the `selected` pixels (row-major indices into `size`, ascending) read, where the
 * layer before it has a margin of `marginPx`.
 */
export function coverOf(
  selected: Int32Array,
  size: EvaluatedSize,
  { windowPx, dilation }: WindowedLayer,
  marginPx: number,
  wanted: EvaluatedSize = RECTANGLE,
): Cover {
  const grid = gridOf(size, marginPx);
  const rectangle = { width: Math.min(wanted.width, grid.width), height: Math.min(wanted.height, grid.height) };
  const lines = linesOf(selected, size.width);
  const neededRows = new Uint8Array(grid.height);
  for (const { y } of lines) for (let tap = 0; tap < windowPx; tap++) neededRows[y + tap * dilation] = 1;
  const { edges: tops, owners: bands } = sweep(neededRows, rectangle.height);
  const needed = new Uint8Array(tops.length * grid.width);
  for (const { y, from, to } of lines) {
    for (let row = 0, last = -1; row < windowPx; row++) {
      const band = bands[y + row * dilation]!;
      if (band === last) continue;
      last = band;
      const start = band * grid.width - y * size.width;
      for (let i = from; i < to; i++) {
        for (let tap = 0, at = start + selected[i]!; tap < windowPx; tap++, at += dilation) needed[at] = 1;
      }
    }
  }
  const corners: number[] = [];
  const places = rectangle.width * rectangle.height;
  const starts = new Int32Array(needed.length);
  for (const [band, top] of tops.entries()) {
    const first = band * grid.width;
    const { edges, owners } = sweep(needed.subarray(first, first + grid.width), rectangle.width);
    const number = corners.length / 2;
    for (let x = 0; x < grid.width; x++) starts[first + x] = (number + owners[x]!) * places + x - edges[owners[x]!]!;
    for (const left of edges) corners.push(left, top);
  }
  return { rectangle, corners: Int32Array.from(corners), bands, tops: Int32Array.from(tops), starts };
}

/** The selected pixels of each row that has some, as a span of their list. */
function linesOf(
  selected: Int32Array,
  width: number,
): { readonly y: number; readonly from: number; readonly to: number }[] {
  const lines: { y: number; from: number; to: number }[] = [];
  for (let from = 0, to = 0; from < selected.length; from = to) {
    const y = Math.floor(selected[from]! / width);
    const end = (y + 1) * width;
    while (to < selected.length && selected[to]! < end) to++;
    lines.push({ y, from, to });
  }
  return lines;
}

/** Covers the needed places of an axis by spans of `length`, each from the first that is not covered yet, none beyond the end. */
function sweep(needed: Uint8Array, length: number): { readonly edges: readonly number[]; readonly owners: Int32Array } {
  const edges: number[] = [];
  const owners = new Int32Array(needed.length);
  for (let at = needed.indexOf(1); at >= 0; at = needed.indexOf(1, edges.at(-1)! + length)) {
    const edge = Math.min(at, needed.length - length);
    owners.fill(edges.length, edge, edge + length);
    edges.push(edge);
  }
  return { edges, owners };
}

/** Returns how many places `layer` is evaluated at for a cover of places of a layer with a margin of `marginPx`. */
export const coveredPlaces = (layer: WindowedLayer, { rectangle, corners }: Cover, marginPx: number): number =>
  (corners.length / 2) * (rectangle.width + layer.marginPx - marginPx) * (rectangle.height + layer.marginPx - marginPx);

/**
 * Writes int32 [windowPx, selected, windowPx] into `windows`: row by row of the windows, where their values are among those of all rectangles
 * (rectangle by rectangle, row by row).
 */
export function planWindows(
  { rectangle, bands, tops, starts }: Cover,
  { windowPx, dilation }: WindowedLayer,
  selected: Int32Array,
  { width }: EvaluatedSize,
  windows: Int32Array,
): void {
  const gridWidth = starts.length / tops.length;
  for (const { y, from, to } of linesOf(selected, width)) {
    for (let row = 0; row < windowPx; row++) {
      const at = y + row * dilation;
      const band = bands[at]!;
      const down = (at - tops[band]!) * rectangle.width;
      const first = band * gridWidth - y * width;
      let next = (row * selected.length + from) * windowPx;
      for (let i = from; i < to; i++) {
        for (let tap = 0, place = first + selected[i]!; tap < windowPx; tap++, place += dilation)
          windows[next++] = starts[place]! + down;
      }
    }
  }
}

/** Writes planar [rectangles, 3, h, w] of a region [3, height, width] into `cut`, each with `reachPx` more on both axes. */
export function cutRegions(
  region: Uint8Array,
  { width, height }: EvaluatedSize,
  { rectangle, corners }: Cover,
  reachPx: number,
  cut: Uint8Array,
): void {
  const [cutWidth, cutHeight] = [rectangle.width + reachPx, rectangle.height + reachPx];
  let to = 0;
  for (let i = 0; i < corners.length; i += 2) {
    for (let c = 0; c < 3; c++) {
      let from = (c * height + corners[i + 1]!) * width + corners[i]!;
      for (let row = 0; row < cutHeight; row++, from += width, to += cutWidth) {
        for (let x = 0; x < cutWidth; x++) cut[to + x] = region[from + x]!;
      }
    }
  }
}
