/** @file From runs to planes of bits and back, a word at a time: tuning opens thousands of masks. */
import { type BitPlane, bitCount, emptyPlane, lowestBit } from "./bit-plane.ts";
import type { Runs } from "./components.ts";

/** Returns the plane of runs. */
export const packRuns = ({ starts, ends, rows }: Runs, width: number): BitPlane => {
  const plane = emptyPlane(width, rows.length - 1);
  const { stride, words } = plane;
  for (let y = 0; y + 1 < rows.length; y++) {
    for (let run = rows[y]!; run < rows[y + 1]!; run++) {
      const from = starts[run]! - y * width;
      const last = ends[run]! - y * width - 1;
      for (let word = from >>> 5; word <= last >>> 5; word++) {
        const left = word === from >>> 5 ? -1 << (from & 31) : -1;
        const right = word === last >>> 5 ? -1 >>> (31 - (last & 31)) : -1;
        const at = y * stride + word;
        words[at] = words[at]! | (left & right);
      }
    }
  }
  return plane;
};

/** Returns the runs of a plane. */
export const unpackRuns = (plane: BitPlane): Runs => {
  const { width, height, stride, words } = plane;
  const count = countRuns(plane);
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  const rows = new Uint32Array(height + 1);
  let run = 0;
  for (let y = 0; y < height; y++) {
    rows[y] = run;
    let before = 0; // the last pixel of the word before
    for (let word = 0; word < stride; word++) {
      const bits = words[y * stride + word]!;
      // where a pixel differs from the one before it: there a run starts, or has ended
      let changes = bits ^ ((bits << 1) | before);
      before = bits >>> 31;
      for (; changes !== 0; changes &= changes - 1) {
        const bit = lowestBit(changes);
        const at = y * width + 32 * word + bit;
        if (((bits >>> bit) & 1) === 1) starts[run] = at;
        else ends[run++] = at;
      }
    }
    // a row that is whole words long and set to its end
    if (before === 1) ends[run++] = (y + 1) * width;
  }
  rows[height] = run;
  return { starts, ends, rows };
};

const countRuns = ({ height, stride, words }: BitPlane): number => {
  let count = 0;
  for (let y = 0; y < height; y++) {
    let before = 0;
    for (let i = y * stride; i < (y + 1) * stride; i++) {
      const bits = words[i]!;
      count += bitCount(bits & ~((bits << 1) | before));
      before = bits >>> 31;
    }
  }
  return count;
};
