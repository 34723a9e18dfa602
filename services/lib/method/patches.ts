/** @file METHOD.md 1: 32x32 patches about a classified pixel, which stays at index 16 of both axes under rotation and mirroring. */
import type { RgbImage } from "./image.ts";
import { reflections } from "./mirror.ts";
import type { RowCopier } from "./row-copier.ts";

/** Side of a patch, in level pixels. */
export const PATCH_SIZE_PX = 32;
/** Index, in both axes, of the pixel that a patch classifies. */
export const CLASSIFIED_PX = 16;
/** Bytes of a patch: planar RGB, 3 x 32 x 32. */
export const PATCH_BYTES = 3 * PATCH_SIZE_PX * PATCH_SIZE_PX;
/** Rotations stored of every centre, in degrees counter-clockwise. */
export const ROTATIONS = [0, 90] as const;

const PLANE = PATCH_SIZE_PX * PATCH_SIZE_PX;

/** Classified pixels, in pixels of a level image. */
export interface Centres {
  readonly xs: ArrayLike<number>;
  readonly ys: ArrayLike<number>;
}

/** Where patches are to lie in a copier's memory: the first at `offset`, the next `stride` on; in bytes. */
export interface PatchPlaces {
  readonly offset: number;
  readonly stride: number;
}

/**
 * Writes the patches of some centres, planar RGB, PATCH_BYTES each: centre 0 at 0 and at 90 degrees, centre 1, and so on. Beyond the
 * border the level image is mirrored. Between the patches the memory stays as it is; what lies behind them is work space.
 */
export const cutPatches = (copier: RowCopier, levelImage: RgbImage, { xs, ys }: Centres, places: PatchPlaces): void => {
  const end = places.offset + xs.length * ROTATIONS.length * places.stride;
  const margins = marginsOf(levelImage, 8 * Math.ceil(end / 8));
  copier.reserve(margins.end);
  // a channel at a time: it stays in the processor's nearer caches, and large images need less memory
  for (let channel = 0; channel < 3; channel++) {
    writeChannel(copier.bytes, levelImage, channel, margins);
    turnChannel(copier.bytes, margins);
    for (let centre = 0, to = places.offset + channel * PLANE; centre < xs.length; centre++) {
      const x = xs[centre]!;
      const y = ys[centre]!;
      copier.copyRows(margins.upright + y * margins.width + x, to, margins.width, PATCH_SIZE_PX);
      to += places.stride;
      const turned = margins.turned + (margins.width - 1 - PATCH_SIZE_PX - x) * margins.height + y;
      copier.copyRows(turned, to, margins.height, PATCH_SIZE_PX);
      to += places.stride;
    }
    copier.flush(); // the next channel takes the margins' place
  }
};

/** One channel of an image with a margin, as it is and turned by 90 degrees counter-clockwise, so that every patch is plain rows. */
interface Margins {
  /** Where the channel lies, width * height, 16 mirrored pixels before the image and at least as many after it; a multiple of 8. */
  readonly upright: number;
  /** Where it lies turned, height * width: row i, column j is row j, column width - 1 - i of it upright. */
  readonly turned: number;
  readonly end: number;
  /** With margins; multiples of 4, for turning takes 4 x 4 pixels at a time. */
  readonly width: number;
  readonly height: number;
}

const marginsOf = (image: RgbImage, start: number): Margins => {
  const width = 4 * Math.ceil((image.width + PATCH_SIZE_PX) / 4);
  const height = 4 * Math.ceil((image.height + PATCH_SIZE_PX) / 4);
  const size = width * height;
  return { upright: start, turned: start + size, end: start + 2 * size, width, height };
};

/** Writes a channel with its margins, in which the image is mirrored. */
const writeChannel = (
  memory: Uint8Array<SharedArrayBuffer>,
  { data, width: imageWidth, height: imageHeight }: RgbImage,
  channel: number,
  { upright, width, height }: Margins,
): void => {
  const words = new Int32Array(memory.buffer);
  const left = CLASSIFIED_PX;
  const columns = reflections(-left, width, imageWidth, 0);
  for (let y = 0; y < imageHeight; y++) {
    const start = upright + (y + left) * width + left;
    let from = 3 * y * imageWidth + channel;
    // four pixels at a time; the last word may reach into the margin, which is written after it
    for (let to = start >>> 2, end = (start + imageWidth + 3) >>> 2; to < end; to++, from += 12) {
      words[to] = data[from]! | (data[from + 3]! << 8) | (data[from + 6]! << 16) | (data[from + 9]! << 24);
    }
    for (let i = 0; i < left; i++) memory[start - left + i] = memory[start + columns[i]!]!;
    for (let i = left + imageWidth; i < width; i++) memory[start - left + i] = memory[start + columns[i]!]!;
  }
  for (const [i, y] of reflections(-left, height, imageHeight, 0).entries()) {
    const row = upright + (y + left) * width;
    if (i !== y + left) memory.copyWithin(upright + i * width, row, row + width);
  }
};

/** Turns a channel, 4 x 4 pixels at a time: four words of four rows become four words of four columns. */
const turnChannel = (memory: Uint8Array<SharedArrayBuffer>, { upright, turned, width, height }: Margins): void => {
  const words = new Int32Array(memory.buffer);
  const acrossWords = width / 4;
  const downWords = height / 4;
  for (let y = 0; y < downWords; y++) {
    let from = upright / 4 + 4 * y * acrossWords;
    let to = turned / 4 + (width - 1) * downWords + y;
    for (let x = 0; x < acrossWords; x++, from++) {
      const a = words[from]!;
      const b = words[from + acrossWords]!;
      const c = words[from + 2 * acrossWords]!;
      const d = words[from + 3 * acrossWords]!;
      // bytes 0 and 2 of two rows side by side, then bytes 1 and 3
      const evenAb = (a & 0x00ff00ff) | ((b & 0x00ff00ff) << 8);
      const evenCd = (c & 0x00ff00ff) | ((d & 0x00ff00ff) << 8);
      const oddAb = ((a >>> 8) & 0x00ff00ff) | (b & 0xff00ff00);
      const oddCd = ((c >>> 8) & 0x00ff00ff) | (d & 0xff00ff00);
      words[to] = (evenAb & 0xffff) | (evenCd << 16);
      words[to - downWords] = (oddAb & 0xffff) | (oddCd << 16);
      words[to - 2 * downWords] = (evenAb >>> 16) | (evenCd & 0xffff0000);
      words[to - 3 * downWords] = (oddAb >>> 16) | (oddCd & 0xffff0000);
      to -= 4 * downWords;
    }
  }
};

/** Which axes are mirrored. */
export interface Mirrors {
  /** Columns change sides. */
  readonly horizontally: boolean;
  /** Rows change sides. */
  readonly vertically: boolean;
}

/** Words of four pixels: of a row of a channel, of a channel, of a patch. */
const ROW_WORDS = PATCH_SIZE_PX / 4;
const PLANE_WORDS = PLANE / 4;
export const PATCH_WORDS = PATCH_BYTES / 4;

/**
 * Mirrors a patch, planar RGB, about index 16, in place: index i comes from 32 - i; index 0, which has no partner, repeats its neighbour.
 * It begins at word `start`.
 */
export const mirrorPatch = (words: Int32Array, start: number, { horizontally, vertically }: Mirrors): void => {
  const end = start + PATCH_WORDS;
  if (vertically) for (let plane = start; plane < end; plane += PLANE_WORDS) mirrorRows(words, plane);
  if (horizontally) for (let row = start; row < end; row += ROW_WORDS) mirrorColumns(words, row);
};

const mirrorRows = (words: Int32Array, plane: number): void => {
  const second = plane + ROW_WORDS;
  for (let one = second, other = plane + PLANE_WORDS - ROW_WORDS; one < other; one += ROW_WORDS, other -= ROW_WORDS) {
    for (let i = 0; i < ROW_WORDS; i++) {
      const word = words[one + i]!;
      words[one + i] = words[other + i]!;
      words[other + i] = word;
    }
  }
  words.copyWithin(plane, second, second + ROW_WORDS);
};

const rowBefore = new Int32Array(ROW_WORDS);

const mirrorColumns = (words: Int32Array, row: number): void => {
  for (let i = 0; i < ROW_WORDS; i++) rowBefore[i] = words[row + i]!;
  // backwards pixel i is 31 - i: one further on it is 32 - i
  let carried = rowBefore[ROW_WORDS - 1]! >>> 24;
  for (let i = 0; i < ROW_WORDS; i++) {
    const word = backwards(rowBefore[ROW_WORDS - 1 - i]!);
    words[row + i] = (word << 8) | carried;
    carried = word >>> 24;
  }
};

/** Returns the four pixels of a word in the other order. */
const backwards = (word: number): number =>
  (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
