/** @file Where each layer has to be evaluated so that selected pixels get their probabilities. */
import type { WindowedLayer } from "./windowed-layers.ts";

/** A rectangle of evaluated pixels. */
export interface EvaluatedSize {
  readonly width: number;
  readonly height: number;
}

/** The places a layer is needed at: indices into its dense output, row-major, ascending. Index = layer, from `first` on. */
export type NeededPlaces = readonly (Int32Array | undefined)[];

/**
 * Returns where each layer from `first` on is needed for the `selected` pixels (row-major indices into `size`, ascending).
 * A layer that reads no windows is needed where the layer behind it is.
 */
export function neededPlaces(
  layers: readonly WindowedLayer[],
  first: number,
  selected: Int32Array,
  size: EvaluatedSize,
): NeededPlaces {
  const needed = new Array<Int32Array | undefined>(layers.length);
  let places = selected;
  for (let i = layers.length - 1; i >= first; i--) {
    needed[i] = places;
    if (i > first) places = windowPlaces(places, layers[i]!, layers[i]!.marginPx, layers[i - 1]!.marginPx, size);
  }
  return needed;
}

/** The places of a layer's input that its windows at `places` hold. */
function windowPlaces(
  places: Int32Array,
  { windowPx, dilation }: WindowedLayer,
  marginPx: number,
  inputMarginPx: number,
  size: EvaluatedSize,
): Int32Array {
  if (windowPx === 1) return places;
  const width = size.width + marginPx;
  const inputWidth = size.width + inputMarginPx;
  const isNeeded = new Uint8Array(inputWidth * (size.height + inputMarginPx));
  let count = 0;
  for (const place of places) {
    const y = Math.floor(place / width);
    const corner = y * inputWidth + place - y * width;
    for (let row = 0; row < windowPx; row++) {
      let at = corner + row * dilation * inputWidth;
      for (let column = 0; column < windowPx; column++, at += dilation) {
        count += 1 - isNeeded[at]!;
        isNeeded[at] = 1;
      }
    }
  }
  const inputs = new Int32Array(count);
  for (let at = 0, i = 0; i < count; at++) if (isNeeded[at] === 1) inputs[i++] = at;
  return inputs;
}

/** The name of the input that tells a layer which rows its windows are. */
export const windowsName = (layer: number): string => `windows${layer}`;

/** A list of rows as a graph takes it: int32, row-major. */
export interface RowList {
  readonly dims: readonly number[];
  readonly data: Int32Array;
}

/**
 * Returns, for each layer from `start` on that reads windows, the rows of its windows [places, windowPx²]: indices into the dense output
 * of the layer before `start`, or into the rows of the layer before it; of a start in squares (`square`) those of its squares. Keyed
 * by input.
 */
export function planWindows(
  layers: readonly WindowedLayer[],
  start: number,
  needed: NeededPlaces,
  size: EvaluatedSize,
  square: Square | undefined,
): ReadonlyMap<string, RowList> {
  const lists = new Map<string, RowList>();
  let numbers: Int32Array | undefined;
  for (let i = start; i < layers.length; i++) {
    const layer = layers[i]!;
    if (layer.windowPx === 1) continue;
    const places = needed[i]!;
    const grid = gridOf(size, layer.marginPx);
    const input = gridOf(size, layers[i - 1]!.marginPx);
    if (i === start && square) {
      const corners = touchedSquares(places, grid);
      lists.set(windowsName(i), squareRows(corners, grid, input, square));
      numbers = squareNumbers(corners, grid);
    } else {
      const data = windowRows(places, layer, grid, input, numbers);
      lists.set(windowsName(i), { dims: [places.length, layer.windowPx ** 2], data });
      numbers = rowNumbers(places, grid);
    }
  }
  return lists;
}

const gridOf = ({ width, height }: EvaluatedSize, marginPx: number): EvaluatedSize => ({
  width: width + marginPx,
  height: height + marginPx,
});

/** At each needed place of a layer's output its row in the list. */
function rowNumbers(places: Int32Array, { width, height }: EvaluatedSize): Int32Array {
  const rows = new Int32Array(width * height);
  for (let row = 0; row < places.length; row++) rows[places[row]!] = row;
  return rows;
}

function windowRows(
  places: Int32Array,
  { windowPx, dilation }: WindowedLayer,
  { width }: EvaluatedSize,
  input: EvaluatedSize,
  rows: Int32Array | undefined,
): Int32Array {
  const taps = Int32Array.from(
    { length: windowPx ** 2 },
    (_, tap) => dilation * (Math.floor(tap / windowPx) * input.width + (tap % windowPx)),
  );
  const windows = new Int32Array(places.length * taps.length);
  let to = 0;
  for (const place of places) {
    const y = Math.floor(place / width);
    const corner = y * input.width + place - y * width;
    if (rows) for (let tap = 0; tap < taps.length; tap++) windows[to++] = rows[corner + taps[tap]!]!;
    else for (let tap = 0; tap < taps.length; tap++) windows[to++] = corner + taps[tap]!;
  }
  return windows;
}

/** Side of the squares of places that a start may be evaluated in: neighbours share most of what their windows gather. */
export const SQUARE_PX = 8;

/** What squares read: their windows together, in each of the blocks of channels. */
export interface Square {
  /** SQUARE_PX plus what windows reach beyond it. */
  readonly inputPx: number;
  readonly channelBlocks: number;
}

/** Returns the upper left places of the squares that hold a needed place; those at the right and lower edge lie within the grid. */
export function touchedSquares(places: Int32Array, { width, height }: EvaluatedSize): Int32Array {
  const columns = Math.ceil(width / SQUARE_PX);
  const isTouched = new Uint8Array(columns * Math.ceil(height / SQUARE_PX));
  for (const place of places) {
    const y = Math.floor(place / width);
    isTouched[Math.floor(y / SQUARE_PX) * columns + Math.floor((place - y * width) / SQUARE_PX)] = 1;
  }
  const corners: number[] = [];
  for (let i = isTouched.indexOf(1); i >= 0; i = isTouched.indexOf(1, i + 1)) {
    const x = Math.min((i % columns) * SQUARE_PX, width - SQUARE_PX);
    const y = Math.min(Math.floor(i / columns) * SQUARE_PX, height - SQUARE_PX);
    corners.push(y * width + x);
  }
  return Int32Array.from(corners);
}

/** [squares, channel blocks, inputPx, inputPx]: rows of [channel blocks * places, block]. */
function squareRows(
  corners: Int32Array,
  { width }: EvaluatedSize,
  input: EvaluatedSize,
  { inputPx, channelBlocks }: Square,
): RowList {
  const plane = input.width * input.height;
  const data = new Int32Array(corners.length * channelBlocks * inputPx ** 2);
  let to = 0;
  for (const corner of corners) {
    const y = Math.floor(corner / width);
    for (let block = 0; block < channelBlocks; block++) {
      for (let row = 0; row < inputPx; row++) {
        const from = block * plane + (y + row) * input.width + corner - y * width;
        for (let column = 0; column < inputPx; column++) data[to++] = from + column;
      }
    }
  }
  return { dims: [corners.length, channelBlocks, inputPx, inputPx], data };
}

/** At each place of a square its row, square by square. */
function squareNumbers(corners: Int32Array, { width, height }: EvaluatedSize): Int32Array {
  const numbers = new Int32Array(width * height);
  let row = 0;
  for (const corner of corners) {
    for (let y = 0; y < SQUARE_PX; y++) {
      for (let x = 0; x < SQUARE_PX; x++) numbers[corner + y * width + x] = row++;
    }
  }
  return numbers;
}
