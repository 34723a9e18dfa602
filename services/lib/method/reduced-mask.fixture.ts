/** @file For tests: f of METHOD.md 1 on all pixels of a level, which sampling never makes as a whole. */
import { levelSize } from "./levels.ts";

/** Returns per level pixel how many of its level-1 pixels are set in the 0/1 mask (width x height level-1 pixels). */
const countInBlocks = (mask: Uint8Array, width: number, height: number, n: number): Uint32Array => {
  const levelWidth = levelSize(width, n);
  const counts = new Uint32Array(levelWidth * levelSize(height, n));
  for (let y = 0, from = 0; y < height; y++) {
    let block = Math.floor(y / n) * levelWidth;
    for (let x = 0; x < width; block++) {
      let count = 0;
      for (const end = Math.min(x + n, width); x < end; x++, from++) count += mask[from]!;
      counts[block] = counts[block]! + count;
    }
  }
  return counts;
};

/** Returns per level pixel how many level-1 pixels its block has: n * n, fewer in the last column and row. */
const blockAreas = (width: number, height: number, n: number): Uint32Array => {
  const levelWidth = levelSize(width, n);
  const areas = new Uint32Array(levelWidth * levelSize(height, n));
  for (let i = 0; i < areas.length; i++) {
    const x = i % levelWidth;
    const y = (i - x) / levelWidth;
    areas[i] = Math.min(n, width - x * n) * Math.min(n, height - y * n);
  }
  return areas;
};

/** Returns f of METHOD.md 1: per level pixel the mean of the 0/1 mask over its block. */
export const reduceMask = (mask: Uint8Array, width: number, height: number, n: number): Float32Array => {
  const areas = blockAreas(width, height, n);
  const counts = countInBlocks(mask, width, height, n);
  return Float32Array.from(counts, (count, i) => count / areas[i]!);
};
