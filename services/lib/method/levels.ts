/** @file METHOD.md, "Levels and geometry": a level-k pixel is the mean of an n x n block of level-1 pixels. */
import type { RgbImage } from "./image.ts";

/** Returns the length in level pixels of `fullPx` level-1 pixels: ceil(fullPx / reduction). */
export const levelSize = (fullPx: number, reduction: number): number => Math.ceil(fullPx / reduction);

/**
 * Returns the level image: every pixel the mean of an n x n block, rounded half up; the last block of a row or column averages
 * what exists. With n = 1 it is the image itself.
 */
export const reduceImage = (image: RgbImage, n: number): RgbImage => {
  if (n === 1) return image;
  const width = levelSize(image.width, n);
  const height = levelSize(image.height, n);
  const data = new Uint8Array(3 * width * height);
  const sums = new Uint32Array(3 * width);
  for (let y = 0; y < height; y++) {
    const rows = Math.min(n, image.height - y * n);
    sums.fill(0);
    for (let row = y * n; row < y * n + rows; row++) addRgbRow(sums, image, row, n);
    for (let x = 0; x < width; x++) {
      const count = rows * Math.min(n, image.width - x * n);
      for (let channel = 0; channel < 3; channel++) {
        // floor(sum / count + 1/2), in integers
        data[3 * (y * width + x) + channel] = Math.floor((2 * sums[3 * x + channel]! + count) / (2 * count));
      }
    }
  }
  return { width, height, data };
};

const addRgbRow = (sums: Uint32Array, image: RgbImage, row: number, n: number): void => {
  const { data, width } = image;
  let from = 3 * row * width;
  for (let block = 0, x = 0; x < width; block += 3) {
    let red = 0;
    let green = 0;
    let blue = 0;
    for (const end = Math.min(x + n, width); x < end; x++, from += 3) {
      red += data[from]!;
      green += data[from + 1]!;
      blue += data[from + 2]!;
    }
    sums[block] = sums[block]! + red;
    sums[block + 1] = sums[block + 1]! + green;
    sums[block + 2] = sums[block + 2]! + blue;
  }
};

/** Returns per level pixel how many of its level-1 pixels are set in the 0/1 mask (width x height level-1 pixels). */
export const countInBlocks = (mask: Uint8Array, width: number, height: number, n: number): Uint32Array => {
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
export const blockAreas = (width: number, height: number, n: number): Uint32Array => {
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
