/** @file METHOD.md 1: what each pixel is a candidate for: annotated, ring, background; nucleus, mixed, none. */

import { dropSmall, fillEnclosed } from "./holes.ts";
import { type Annotation, annotatedPixels, type LabelPlane, type RgbImage } from "./image.ts";
import { blockAreas, countInBlocks, levelSize } from "./levels.ts";
import { anyWithin } from "./neighbourhood.ts";

/** Iterations of the 3x3 square that make the ring. */
const RING_PX = 3;
/** Quantiles of the red channel between which it is stretched, and what is dark after that. */
const STRETCH_FROM = 0.05;
const STRETCH_TO = 0.5;
const DARK_BELOW = 0.3;
/** Dark components smaller than this are dropped. */
const MIN_DARK_PX = 100;
/** The 50x50 neighbourhood has no middle pixel: it reaches 25 pixels back and 24 ahead. */
const FAR_BEFORE_PX = 25;
const FAR_AFTER_PX = 24;

/** Level-1 planes of 0/1, width * height each; no pixel is set in two of them. */
export interface PixelClasses {
  readonly mask: Uint8Array;
  readonly ring: Uint8Array;
  readonly background: Uint8Array;
}

/**
 * Returns the classes of an image's level-1 pixels. `mask` = annotated, without the pixels where two instances touch; `ring` = within
 * 3 pixels of anything annotated, with those pixels; `background` = elsewhere, when sparse only far from anything dark.
 */
export const classifyPixels = (image: RgbImage, labels: LabelPlane, annotation: Annotation): PixelClasses => {
  const { width, height } = image;
  if (labels.length !== width * height) {
    throw new RangeError(`Cannot use ${labels.length} labels for an image of ${width}x${height} pixels`);
  }
  const annotated = annotatedPixels(labels);
  const touching = touchingPixels(labels, width, height);
  const near = anyWithin(annotated, width, height, RING_PX, RING_PX);
  const nearDark =
    annotation === "sparse"
      ? anyWithin(darkPixels(image), width, height, FAR_BEFORE_PX, FAR_AFTER_PX)
      : new Uint8Array(width * height);
  return {
    mask: annotated.map((value, i) => value & ~touching[i]! & 1),
    ring: near.map((value, i) => value & (~annotated[i]! | touching[i]!) & 1),
    background: near.map((value, i) => (value === 0 && nearDark[i] === 0 ? 1 : 0)),
  };
};

/** Returns 1 where a pixel has an 8-neighbour of another instance. */
export const touchingPixels = (labels: LabelPlane, width: number, height: number): Uint8Array => {
  const touching = new Uint8Array(labels.length);
  const compare = (a: number, b: number): void => {
    if (labels[a]! > 0 && labels[b]! > 0 && labels[a] !== labels[b]) {
      touching[a] = 1;
      touching[b] = 1;
    }
  };
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (labels[i] === 0) continue;
      // the other four neighbours compare themselves with this pixel
      if (x + 1 < width) compare(i, i + 1);
      if (y + 1 === height) continue;
      if (x > 0) compare(i, i + width - 1);
      compare(i, i + width);
      if (x + 1 < width) compare(i, i + width + 1);
    }
  }
  return touching;
};

/** Returns 1 where the red channel is dark, without specks and with what dark outlines enclose. */
export const darkPixels = ({ width, height, data }: RgbImage): Uint8Array => {
  const histogram = new Uint32Array(256);
  for (let i = 0; i < data.length; i += 3) histogram[data[i]!] = histogram[data[i]!]! + 1;
  const low = quantile(histogram, STRETCH_FROM * width * height);
  const high = quantile(histogram, STRETCH_TO * width * height);
  // (red - low) / (high - low) < 0.3, also right for an image of one colour, where nothing is dark
  const limit = low + DARK_BELOW * (high - low);
  const dark = new Uint8Array(width * height);
  for (let i = 0; i < dark.length; i++) dark[i] = data[3 * i]! < limit ? 1 : 0;
  return fillEnclosed(dropSmall(dark, width, height, MIN_DARK_PX, 8), width, height);
};

/** The least value that `count` pixels do not exceed. */
const quantile = (histogram: Uint32Array, count: number): number => {
  let seen = 0;
  for (let value = 0; value < 256; value++) {
    seen += histogram[value]!;
    if (seen >= count) return value;
  }
  return 255;
};

/** What a centre is drawn as: three kinds at level 1; four at the coarser ones, where edge and background make up class none. */
export type CentreKind = "positive" | "edge" | "background" | "nucleus" | "mixed";

/** Indices of level pixels (row-major) that can be centres of a kind, ascending. */
export type Candidates = Readonly<Partial<Record<CentreKind, Uint32Array>>>;

/** Returns the candidates at level 1. */
export const finestCandidates = ({ mask, ring, background }: PixelClasses): Candidates => ({
  positive: indicesWhere(mask.length, (i) => mask[i] === 1),
  edge: indicesWhere(mask.length, (i) => ring[i] === 1),
  background: indicesWhere(mask.length, (i) => background[i] === 1),
});

/**
 * Returns the candidates at a coarser level of reduction n, with f the mean of the mask over a block: nucleus (f > .99), mixed
 * (0 < f <= .99) and of the rest background (wholly background) and, with complete annotation, edge (holds a ring pixel).
 */
export const coarserCandidates = (
  classes: PixelClasses,
  width: number,
  height: number,
  n: number,
  annotation: Annotation,
): Candidates => {
  const masked = countInBlocks(classes.mask, width, height, n);
  const ring = countInBlocks(classes.ring, width, height, n);
  const background = countInBlocks(classes.background, width, height, n);
  const areas = blockAreas(width, height, n);
  const pixels = levelSize(width, n) * levelSize(height, n);
  // in integers: 99 of 100 is not above .99
  const isNucleus = (i: number) => 100 * masked[i]! > 99 * areas[i]!;
  const candidates = {
    nucleus: indicesWhere(pixels, isNucleus),
    mixed: indicesWhere(pixels, (i) => masked[i]! > 0 && !isNucleus(i)),
    background: indicesWhere(pixels, (i) => background[i] === areas[i]),
  };
  if (annotation === "sparse") return candidates;
  return { ...candidates, edge: indicesWhere(pixels, (i) => masked[i] === 0 && ring[i]! > 0) };
};

const indicesWhere = (length: number, holds: (index: number) => boolean): Uint32Array => {
  const found: number[] = [];
  for (let i = 0; i < length; i++) if (holds(i)) found.push(i);
  return Uint32Array.from(found);
};
