/** @file Planes of one bit per pixel, 32 pixels per word: what is asked of many pixels at once. */
import type { LabelPlane, Rect } from "./image.ts";

/** A 0/1 plane. Pixel x of row y is bit x % 32 of word y * stride + floor(x / 32); bits beyond the width are 0. */
export interface BitPlane {
  readonly width: number;
  readonly height: number;
  /** Words per row. */
  readonly stride: number;
  readonly words: Uint32Array;
}

/** Returns an empty plane. */
export const emptyPlane = (width: number, height: number): BitPlane => {
  const stride = Math.ceil(width / 32);
  return { width, height, stride, words: new Uint32Array(stride * height) };
};

/** Sets a pixel. */
export const setPixel = ({ stride, words }: BitPlane, x: number, y: number): void => {
  const word = y * stride + (x >>> 5);
  words[word] = words[word]! | (1 << (x & 31));
};

/** Unsets a pixel. */
export const clearPixel = ({ stride, words }: BitPlane, x: number, y: number): void => {
  const word = y * stride + (x >>> 5);
  words[word] = words[word]! & ~(1 << (x & 31));
};

/** Returns the bits of a row's last word that are pixels. */
export const lastWordPixels = (width: number): number => (width % 32 === 0 ? 0xffffffff : 2 ** (width % 32) - 1);

/** Returns the plane of the values above 0; none is above 2^31. */
export const packPlane = (values: LabelPlane, width: number, height: number): BitPlane => {
  const plane = emptyPlane(width, height);
  for (let y = 0, i = 0, word = 0; y < height; y++) {
    for (const rowEnd = i + width; i < rowEnd; word++) {
      let bits = 0;
      for (let bit = 0, end = Math.min(32, rowEnd - i); bit < end; bit++, i++) {
        bits |= ((0 - values[i]!) >>> 31) << bit; // the sign: a comparison takes half as long again
      }
      plane.words[word] = bits;
    }
  }
  return plane;
};

/** Returns how many bytes a row has for `packBelow`: whole words of the plane. */
export const paddedWidth = (width: number): number => 32 * Math.ceil(width / 32);

/**
 * Returns the plane of the bytes below a limit of 0 to 255; rows are `paddedWidth` bytes long, the padding 255. Four bytes at a time
 * (Hacker's Delight, 2-18, and 7-2's gathering of bits by a product): one at a time takes five times as long.
 */
export const packBelow = (bytes: Uint8Array, limit: number, width: number, height: number): BitPlane => {
  const plane = emptyPlane(width, height);
  const four = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const highBits = 0x80808080 | 0;
  const subtrahend = Math.imul(limit & 127, 0x01010101);
  for (let word = 0, i = 0; word < plane.words.length; word++) {
    let bits = 0;
    for (let bit = 0; bit < 32; bit += 4, i++) {
      const values = four[i]!;
      // a byte's high bit: whether its lower seven bits reach the limit's
      const reaches = ((values | highBits) - subtrahend) | 0;
      const notBelow = limit < 128 ? reaches | values : reaches & values;
      bits |= (Math.imul((~notBelow & highBits) >>> 7, 0x10204080) >>> 28) << bit;
    }
    plane.words[word] = bits;
  }
  return plane;
};

/** Returns the pixels that are not set. */
export const complement = ({ width, height, stride, words }: BitPlane): BitPlane => {
  const inverted = new Uint32Array(words.length);
  for (let i = 0; i < words.length; i++) inverted[i] = ~words[i]!;
  if (width % 32 !== 0) {
    const inside = lastWordPixels(width);
    for (let last = stride - 1; last < inverted.length; last += stride) inverted[last] = inverted[last]! & inside;
  }
  return { width, height, stride, words: inverted };
};

/** Returns what is set in `a` and not in `b`. */
export const difference = (a: BitPlane, b: BitPlane): BitPlane => {
  const left = emptyPlane(a.width, a.height);
  for (let i = 0; i < left.words.length; i++) left.words[i] = a.words[i]! & ~b.words[i]!;
  return left;
};

/** Returns how many bits of a word are set (Hacker's Delight, figure 5-2). */
export const bitCount = (word: number): number => {
  let sums = word - ((word >>> 1) & 0x55555555);
  sums = (sums & 0x33333333) + ((sums >>> 2) & 0x33333333);
  return Math.imul((sums + (sums >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};

/** Returns the place of the lowest set bit of a word that has one. */
export const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);

/** Returns how many pixels are set. */
export const countSet = ({ words }: BitPlane): number => {
  let count = 0;
  for (let i = 0; i < words.length; i++) count += bitCount(words[i]!);
  return count;
};

/** Returns how many pixels of a rectangle inside the plane are set. */
export const countInRect = ({ stride, words }: BitPlane, { x, y, width, height }: Rect): number => {
  const first = x >>> 5;
  const last = (x + width - 1) >>> 5;
  const fromFirst = 0xffffffff << (x & 31);
  const toLast = 0xffffffff >>> (31 - ((x + width - 1) & 31));
  let count = 0;
  for (let row = y * stride; row < (y + height) * stride; row += stride) {
    for (let i = first; i <= last; i++) {
      count += bitCount(words[row + i]! & (i === first ? fromFirst : -1) & (i === last ? toLast : -1));
    }
  }
  return count;
};

/** Returns distinct integers below `end` in ascending order: as bits, where sorting takes ten times as long. */
export const ascending = (integers: Uint32Array, end: number): Uint32Array => {
  const { words } = emptyPlane(end, 1);
  for (let i = 0; i < integers.length; i++) words[integers[i]! >>> 5]! |= 1 << (integers[i]! & 31);
  const sorted = new Uint32Array(integers.length);
  let count = 0;
  for (let word = 0; word < words.length; word++)
    for (let bits = words[word]!; bits !== 0; bits &= bits - 1) sorted[count++] = 32 * word + lowestBit(bits);
  return sorted;
};

/** Returns where the set pixels with the given ranks are: ranks count set pixels in row-major order from 0 and ascend. */
export const selectSet = (
  { stride, words }: BitPlane,
  ranks: Uint32Array,
): { readonly xs: Uint32Array; readonly ys: Uint32Array } => {
  const xs = new Uint32Array(ranks.length);
  const ys = new Uint32Array(ranks.length);
  let word = 0;
  let before = 0;
  let count = bitCount(words[0] ?? 0);
  for (let i = 0; i < ranks.length; i++) {
    for (const rank = ranks[i]!; before + count <= rank; count = bitCount(words[word]!)) {
      before += count;
      word++;
    }
    let bits = words[word]!;
    for (let skipped = ranks[i]! - before; skipped > 0; skipped--) bits &= bits - 1;
    const y = Math.floor(word / stride);
    ys[i] = y;
    xs[i] = 32 * (word - y * stride) + lowestBit(bits);
  }
  return { xs, ys };
};

/**
 * Sets each pixel of a row to whether any of the `span` pixels from it on is set, what lies beyond the words being 0. The span
 * doubles with every pass over the words; the last adds what is missing.
 */
export const spreadBack = (words: Uint32Array, span: number): void => {
  let reached = 1;
  while (reached < span) {
    const step = Math.min(reached, span - reached);
    orFrom(words, step);
    reached += step;
  }
};

/** Ors each pixel of a row with the pixel `step` ahead. */
const orFrom = (words: Uint32Array, step: number): void => {
  const skipped = step >>> 5;
  const bits = step & 31;
  const { length } = words;
  for (let i = 0; i + skipped < length; i++) {
    const low = words[i + skipped]! >>> bits;
    const high = bits === 0 || i + skipped + 1 >= length ? 0 : words[i + skipped + 1]! << (32 - bits);
    words[i] = words[i]! | low | high;
  }
};
