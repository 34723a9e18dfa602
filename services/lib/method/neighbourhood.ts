/** @file What lies about a pixel: square neighbourhoods and blocks of a bit plane, 32 pixels at a time. */
import { type BitPlane, emptyPlane, lastWordPixels, spreadBack } from "./bit-plane.ts";
import { levelSize } from "./levels.ts";

/**
 * Returns where some set pixel lies in the square from `before` pixels before to `after` pixels after, both axes. With
 * `before` = `after` = r this is r iterations of dilation by a 3x3 square.
 */
export const anyWithin = (plane: BitPlane, before: number, after: number): BitPlane => {
  const { width, height, stride, words } = plane;
  const span = before + after + 1;
  const result = emptyPlane(width, height);
  // Row y of the plane is row y + before here, so that what begins above the image is seen too; columns likewise.
  const padded = new Uint32Array((height + span) * stride);
  const row = new Uint32Array(Math.ceil((width + before) / 32));
  const inside = lastWordPixels(width);
  for (let y = 0; y < height; y++) {
    row.fill(0);
    moveAhead(words.subarray(y * stride, (y + 1) * stride), before, row);
    spreadBack(row, span);
    const to = (y + before) * stride;
    padded.set(row.subarray(0, stride), to);
    padded[to + stride - 1] = padded[to + stride - 1]! & inside;
  }
  // rows lie one after the other, so that spreading by whole rows is spreading by multiples of 32 * stride pixels
  spreadRows(padded, stride, span);
  result.words.set(padded.subarray(0, height * stride));
  return result;
};

/**
 * Returns where some set pixel lies in the octagon that reaches `reach` pixels along both axes: half of its steps go to the four neighbours,
 * half to the eight, of an odd number one more to the four.
 */
export const anyWithinOctagon = (plane: BitPlane, reach: number): BitPlane => {
  const square = Math.floor(reach / 2);
  let diamond = plane;
  for (let step = square; step < reach; step++) diamond = withFourNeighbours(diamond);
  return anyWithin(diamond, square, square);
};

/** Returns what is set or has one of its four neighbours set. */
const withFourNeighbours = ({ width, height, stride, words }: BitPlane): BitPlane => {
  const result = emptyPlane(width, height);
  const spread = result.words;
  const inside = lastWordPixels(width);
  for (let y = 0, i = 0; y < height; y++) {
    for (let word = 0; word < stride; word++, i++) {
      const own = words[i]!;
      const before = word === 0 ? 0 : words[i - 1]! >>> 31;
      const after = word === stride - 1 ? 0 : words[i + 1]! << 31;
      const above = y === 0 ? 0 : words[i - stride]!;
      const below = y === height - 1 ? 0 : words[i + stride]!;
      const beside = (own << 1) | before | (own >>> 1) | after;
      spread[i] = (own | beside | above | below) & (word === stride - 1 ? inside : -1);
    }
  }
  return result;
};

/** Writes the bits of a row, moved `step` pixels ahead, into a longer row of zeros. */
const moveAhead = (words: Uint32Array, step: number, moved: Uint32Array): void => {
  const skipped = step >>> 5;
  const bits = step & 31;
  for (let i = 0; i < words.length; i++) {
    const at = i + skipped;
    moved[at] = moved[at]! | (words[i]! << bits);
    if (bits !== 0 && at + 1 < moved.length) moved[at + 1] = words[i]! >>> (32 - bits);
  }
};

/** Ors each row with the `span` - 1 rows after it, in passes of doubling reach. */
const spreadRows = (words: Uint32Array, stride: number, span: number): void => {
  let reached = 1;
  while (reached < span) {
    const step = Math.min(reached, span - reached);
    const ahead = step * stride;
    for (let i = 0; i + ahead < words.length; i++) words[i] = words[i]! | words[i + ahead]!;
    reached += step;
  }
};

/** Returns the level plane of reduction n: set where any pixel of the block is. */
export const anyInBlocks = ({ width, height, stride, words }: BitPlane, n: number): BitPlane => {
  const level = emptyPlane(levelSize(width, n), levelSize(height, n));
  const row = new Uint32Array(stride);
  for (let y = 0; y < level.height; y++) {
    row.set(words.subarray(y * n * stride, (y * n + 1) * stride));
    for (let from = (y * n + 1) * stride, end = Math.min((y + 1) * n, height) * stride; from < end; ) {
      for (let i = 0; i < stride; i++, from++) row[i] = row[i]! | words[from]!;
    }
    spreadBack(row, n);
    if (n === 2) {
      halve(row, level.words.subarray(y * level.stride, (y + 1) * level.stride));
      continue;
    }
    for (let x = 0, at = 0; x < level.width; x++, at += n) {
      const word = y * level.stride + (x >>> 5);
      level.words[word] = level.words[word]! | (((row[at >>> 5]! >>> (at & 31)) & 1) << (x & 31));
    }
  }
  return level;
};

/** Writes every second pixel of a row: the widest level's case, a word at a time (Hacker's Delight, 7-2). */
const halve = (row: Uint32Array, halved: Uint32Array): void => {
  for (let i = 0; i < row.length; i++) {
    let bits = row[i]! & 0x55555555;
    bits = (bits | (bits >>> 1)) & 0x33333333;
    bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
    bits = (bits | (bits >>> 4)) & 0x00ff00ff;
    bits = (bits | (bits >>> 8)) & 0x0000ffff;
    halved[i >>> 1] = halved[i >>> 1]! | (bits << ((i & 1) << 4));
  }
};
