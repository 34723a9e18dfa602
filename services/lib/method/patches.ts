/** @file METHOD.md 1: 32x32 patches about a classified pixel, which stays at index 16 of both axes under rotation and mirroring. */
import type { RgbImage } from "./image.ts";
import { reflect } from "./mirror.ts";

/** Side of a patch, in level pixels. */
export const PATCH_SIZE_PX = 32;
/** Index, in both axes, of the pixel that a patch classifies. */
export const CLASSIFIED_PX = 16;
/** Bytes of a patch: planar RGB, 3 x 32 x 32. */
export const PATCH_BYTES = 3 * PATCH_SIZE_PX * PATCH_SIZE_PX;
/** Rotations stored of every centre, in degrees counter-clockwise. */
export const ROTATIONS = [0, 90] as const;

/** The window has a middle pixel, so it can turn about it: one column and row more than a patch. */
const WINDOW_PX = PATCH_SIZE_PX + 1;
const PLANE = PATCH_SIZE_PX * PATCH_SIZE_PX;

/** Classified pixels, in pixels of a level image. */
export interface Centres {
  readonly xs: ArrayLike<number>;
  readonly ys: ArrayLike<number>;
}

/**
 * Returns the patches of some centres, planar RGB, PATCH_BYTES each: centre 0 at 0 and at 90 degrees, centre 1, and so on. Beyond the
 * border the level image is mirrored.
 */
export const cutPatches = (levelImage: RgbImage, { xs, ys }: Centres): Uint8Array => {
  const patches = new Uint8Array(xs.length * ROTATIONS.length * PATCH_BYTES);
  const columns = new Int32Array(WINDOW_PX);
  const rows = new Int32Array(WINDOW_PX);
  for (let centre = 0; centre < xs.length; centre++) {
    for (let i = 0; i < WINDOW_PX; i++) {
      columns[i] = 3 * reflect(xs[centre]! + i - CLASSIFIED_PX, levelImage.width);
      rows[i] = 3 * levelImage.width * reflect(ys[centre]! + i - CLASSIFIED_PX, levelImage.height);
    }
    const upright = patches.subarray(2 * centre * PATCH_BYTES);
    copyWindow(upright, levelImage.data, columns, rows, false);
    copyWindow(upright.subarray(PATCH_BYTES), levelImage.data, columns, rows, true);
  }
  return patches;
};

/** Counter-clockwise about the middle of the window: pixel (row i, column j) comes from (row j, column 32 - i). */
const copyWindow = (
  patch: Uint8Array,
  data: Uint8Array,
  columns: Int32Array,
  rows: Int32Array,
  turned: boolean,
): void => {
  for (let i = 0, to = 0; i < PATCH_SIZE_PX; i++) {
    for (let j = 0; j < PATCH_SIZE_PX; j++, to++) {
      const from = turned ? rows[j]! + columns[WINDOW_PX - 1 - i]! : rows[i]! + columns[j]!;
      patch[to] = data[from]!;
      patch[to + PLANE] = data[from + 1]!;
      patch[to + 2 * PLANE] = data[from + 2]!;
    }
  }
};

/** Where a patch lies in a buffer of planar RGB patches. */
export interface PatchPlace {
  readonly data: Uint8Array;
  /** In bytes. */
  readonly offset: number;
}

/** Which axes are mirrored. */
export interface Mirrors {
  /** Columns change sides. */
  readonly horizontally: boolean;
  /** Rows change sides. */
  readonly vertically: boolean;
}

/** Index i comes from 32 - i; index 0, which has no partner, repeats its neighbour. */
const MIRRORED = Uint8Array.from({ length: PATCH_SIZE_PX }, (_, i) => PATCH_SIZE_PX - Math.max(i, 1));
const UPRIGHT = Uint8Array.from({ length: PATCH_SIZE_PX }, (_, i) => i);

/** Writes a patch, mirrored about index 16, into a batch buffer; source and target must not overlap. */
export const mirrorPatch = (source: PatchPlace, target: PatchPlace, { horizontally, vertically }: Mirrors): void => {
  if (!horizontally && !vertically) {
    target.data.set(source.data.subarray(source.offset, source.offset + PATCH_BYTES), target.offset);
    return;
  }
  const columns = horizontally ? MIRRORED : UPRIGHT;
  const rows = vertically ? MIRRORED : UPRIGHT;
  const from = source.data;
  let to = target.offset;
  for (let channel = 0; channel < 3; channel++) {
    for (let i = 0; i < PATCH_SIZE_PX; i++) {
      const row = source.offset + channel * PLANE + PATCH_SIZE_PX * rows[i]!;
      for (let j = 0; j < PATCH_SIZE_PX; j++, to++) target.data[to] = from[row + columns[j]!]!;
    }
  }
};
