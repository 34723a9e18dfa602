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
  for (let at = isNeeded.indexOf(1), i = 0; i < count; at = isNeeded.indexOf(1, at + 1)) inputs[i++] = at;
  return inputs;
}

/**
 * Returns, for each layer from `start` on that reads windows, the rows of its windows, places x windowPx²: indices into the dense
 * output of the layer before `start`, or into the rows of the layer before it. Keyed by layer.
 */
export function planWindows(
  layers: readonly WindowedLayer[],
  start: number,
  needed: NeededPlaces,
  size: EvaluatedSize,
): ReadonlyMap<number, Int32Array> {
  const windows = new Map<number, Int32Array>();
  for (let i = start; i < layers.length; i++) {
    const { windowPx } = layers[i]!;
    if (windowPx === 1) continue;
    const rows = i === start ? undefined : rowNumbers(needed[i - 1]!, size, layers[i - 1]!.marginPx);
    windows.set(i, windowRows(needed[i]!, layers[i]!, layers[i - 1]!.marginPx, size, rows));
  }
  return windows;
}

/** At each needed place of a layer's output its row in the list. */
function rowNumbers(places: Int32Array, { width, height }: EvaluatedSize, marginPx: number): Int32Array {
  const rows = new Int32Array((width + marginPx) * (height + marginPx));
  for (let row = 0; row < places.length; row++) rows[places[row]!] = row;
  return rows;
}

function windowRows(
  places: Int32Array,
  { windowPx, dilation, marginPx }: WindowedLayer,
  inputMarginPx: number,
  size: EvaluatedSize,
  rows: Int32Array | undefined,
): Int32Array {
  const width = size.width + marginPx;
  const inputWidth = size.width + inputMarginPx;
  const taps = Int32Array.from(
    { length: windowPx ** 2 },
    (_, tap) => dilation * (Math.floor(tap / windowPx) * inputWidth + (tap % windowPx)),
  );
  const windows = new Int32Array(places.length * taps.length);
  let to = 0;
  for (const place of places) {
    const y = Math.floor(place / width);
    const corner = y * inputWidth + place - y * width;
    if (rows) for (let tap = 0; tap < taps.length; tap++) windows[to++] = rows[corner + taps[tap]!]!;
    else for (let tap = 0; tap < taps.length; tap++) windows[to++] = corner + taps[tap]!;
  }
  return windows;
}
