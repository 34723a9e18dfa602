/** @file METHOD.md, "Levels and geometry": a level-k pixel is the mean of an n x n block of level-1 pixels. */
import type { RgbImage } from "./image.ts";

/** Returns the length in level pixels of `fullPx` level-1 pixels: ceil(fullPx / reduction). */
export const levelSize = (fullPx: number, reduction: number): number => Math.ceil(fullPx / reduction);

/**
 * Returns the level image: every pixel the mean of an n x n block, rounded half up; the last block of a row or column averages
 * what exists. With n = 1 it is the image itself.
 */
export const reduceImage = (image: RgbImage, n: number): RgbImage => (n === 1 ? image : meansOf(sumBlocks(image, n)));

/**
 * Returns what gives the level images of some reductions, ascending: `reduceImage` of each, from a finer one's sums where they suffice. Each
 * is made when it is first asked for.
 */
export const createLevels = (image: RgbImage, reductions: readonly number[]): ((reduction: number) => RgbImage) => {
  const sums = new Map<number, BlockSums>();
  const images = new Map<number, RgbImage>([[1, image]]);
  const sumsOf = (n: number): BlockSums => {
    const known = sums.get(n);
    if (known) return known;
    const finer = reductions.findLast((other) => other > 1 && other < n && n % other === 0);
    const base = finer === undefined ? undefined : sumsOf(finer);
    const made = base === undefined ? sumBlocks(image, n) : { ...sumRgbBlocks(base, n / base.n, n), n, source: image };
    sums.set(n, made);
    return made;
  };
  return (n) => {
    const known = images.get(n);
    if (known) return known;
    const made = meansOf(sumsOf(n));
    images.set(n, made);
    return made;
  };
};

/** Returns the level images of some reductions, ascending. */
export const reduceImages = (image: RgbImage, reductions: readonly number[]): RgbImage[] =>
  reductions.map(createLevels(image, reductions));

/** Interleaved RGB of any depth. */
interface RgbPlane {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

/** As small as holds them: of a large image the sums are the largest part of the work. */
type Sums = Uint16Array | Uint32Array;

/** Sums of the n x n blocks of a source image. */
interface BlockSums extends RgbPlane {
  readonly data: Sums;
  readonly n: number;
  readonly source: RgbImage;
}

const sumBlocks = (source: RgbImage, n: number): BlockSums => ({ ...sumRgbBlocks(source, n, n), n, source });

/** Sums n x n blocks; with what the source sums already, a block is `reduction` pixels of the image wide. */
const sumRgbBlocks = (source: RgbPlane, n: number, reduction: number): RgbPlane & { readonly data: Sums } => {
  const width = levelSize(source.width, n);
  const height = levelSize(source.height, n);
  const length = 3 * width * height;
  const data = 255 * reduction ** 2 < 2 ** 16 ? new Uint16Array(length) : new Uint32Array(length);
  for (let y = 0; y < source.height; y++) {
    const block = Math.floor(y / n);
    const sums = data.subarray(3 * width * block, 3 * width * (block + 1));
    if (n === 2 && y + 1 < source.height) addPairs(sums, source, y++);
    else addRow(sums, source, y, n);
  }
  return { width, height, data };
};

const addRow = (sums: Sums, { data, width }: RgbPlane, row: number, n: number): void => {
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

/** `addRow` of two rows for n = 2, the largest level by far: four times as fast without the inner loop. */
const addPairs = (sums: Sums, { data, width }: RgbPlane, row: number): void => {
  const paired = 3 * (width >>> 1);
  let from = 3 * row * width;
  let below = from + 3 * width;
  for (let i = 0; i < paired; i += 3, from += 6, below += 6) {
    sums[i] = data[from]! + data[from + 3]! + data[below]! + data[below + 3]!;
    sums[i + 1] = data[from + 1]! + data[from + 4]! + data[below + 1]! + data[below + 4]!;
    sums[i + 2] = data[from + 2]! + data[from + 5]! + data[below + 2]! + data[below + 5]!;
  }
  if (width % 2 === 0) return;
  for (let c = 0; c < 3; c++) sums[paired + c] = data[from + c]! + data[below + c]!;
};

const meansOf = ({ width, height, data: sums, n, source }: BlockSums): RgbImage => {
  const data = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    const rows = Math.min(n, source.height - y * n);
    const start = 3 * y * width;
    writeMeans(data, sums, start, start + 3 * (width - 1), rows * n);
    writeMeans(data, sums, start + 3 * (width - 1), start + 3 * width, rows * (source.width - (width - 1) * n));
  }
  return { width, height, data };
};

/**
 * floor(sum / count + 1/2). The product is within 1e-13 of the quotient, which is a whole number or at least 1 / (2 * 2000^2) = 1e-7
 * away from one, so that 1e-9 more makes it exact; a division takes five times as long.
 */
const writeMeans = (data: Uint8Array, sums: Sums, from: number, to: number, count: number): void => {
  const inverse = 1 / (2 * count);
  for (let i = from; i < to; i++) data[i] = (2 * sums[i]! + count) * inverse + 1e-9;
};
