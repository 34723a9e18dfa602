/** @file METHOD.md 1: what each pixel is a candidate for: annotated, ring, background; nucleus, mixed, none. */

import {
  type BitPlane,
  complement,
  countInRect,
  difference,
  emptyPlane,
  lowestBit,
  packBelow,
  packPlane,
  paddedWidth,
  setPixel,
} from "./bit-plane.ts";
import { packRuns, unpackRuns } from "./bit-runs.ts";
import { fillEnclosed } from "./cleaning.ts";
import { componentsOf, keepLarge } from "./components.ts";
import type { Annotation, LabelPlane, MaskKind, RgbImage } from "./image.ts";
import { anyInBlocks, anyWithin } from "./neighbourhood.ts";
import { quantile } from "./quantile.ts";

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

/** An image with its annotation. Where annotation is complete its size is enough: background is what is not annotated. */
export type AnnotatedImage = {
  /** Row-major, as large as the image. */
  readonly labels: LabelPlane;
  readonly maskKind: MaskKind;
} & (
  | { readonly annotation: "sparse"; readonly image: RgbImage }
  | { readonly annotation: "complete"; readonly image: Pick<RgbImage, "width" | "height"> }
);

/** Level-1 planes; no pixel is set in two of `mask`, `ring` and `background`. */
export interface PixelClasses {
  readonly annotated: BitPlane;
  readonly mask: BitPlane;
  readonly ring: BitPlane;
  readonly background: BitPlane;
}

/**
 * Returns the classes of an image's level-1 pixels. `mask` = `annotated`, without the pixels where two instances touch; `ring` = within
 * 3 pixels of anything annotated, with those pixels; `background` = elsewhere, when sparse only far from anything dark.
 */
export const classifyPixels = (request: AnnotatedImage): PixelClasses => {
  const { labels, maskKind, image } = request;
  const { width, height } = image;
  if (labels.length !== width * height) {
    throw new RangeError(`Cannot use ${labels.length} labels for an image of ${width}x${height} pixels`);
  }
  const annotated = packPlane(labels, width, height);
  const mask = maskKind === "binary" ? annotated : difference(annotated, touchingPixels(labels, annotated));
  const near = anyWithin(annotated, RING_PX, RING_PX);
  const far = complement(near);
  return {
    annotated,
    mask,
    ring: difference(near, mask),
    background: request.annotation === "complete" ? far : difference(far, nearDarkPixels(request.image)),
  };
};

/** Returns where a pixel has an 8-neighbour of another instance; `annotated` are the labels above 0. */
export const touchingPixels = (labels: LabelPlane, annotated: BitPlane): BitPlane => {
  const { width, height, stride, words } = annotated;
  const touching = emptyPlane(width, height);
  const compare = (x: number, y: number, dx: number, dy: number): void => {
    const i = y * width + x;
    const other = labels[i + dy * width + dx]!;
    if (other === 0 || other === labels[i]) return;
    setPixel(touching, x, y);
    setPixel(touching, x + dx, y + dy);
  };
  for (let word = 0; word < words.length; word++) {
    const y = Math.floor(word / stride);
    for (let bits = words[word]!; bits !== 0; bits &= bits - 1) {
      const x = 32 * (word - y * stride) + lowestBit(bits);
      const isRight = x + 1 === width;
      // the other four neighbours compare themselves with this pixel
      if (!isRight) compare(x, y, 1, 0);
      if (y + 1 === height) continue;
      if (x > 0) compare(x, y, -1, 1);
      compare(x, y, 0, 1);
      if (!isRight) compare(x, y, 1, 1);
    }
  }
  return touching;
};

const nearDarkPixels = (image: RgbImage): BitPlane => anyWithin(darkPixels(image), FAR_BEFORE_PX, FAR_AFTER_PX);

/** Returns where the red channel is dark, without specks and with what dark outlines enclose. */
export const darkPixels = ({ width, height, data }: RgbImage): BitPlane => {
  const stride = paddedWidth(width);
  const histogram = new Int32Array(256); // not Uint32Array, whose values V8 counts as floats
  const reds = new Uint8Array(stride * height).fill(255);
  for (let y = 0, from = 0; y < height; y++) {
    for (let to = stride * y, end = to + width; to < end; to++, from += 3) {
      const red = data[from]!;
      reds[to] = red;
      histogram[red] = histogram[red]! + 1;
    }
  }
  const low = quantile(histogram, STRETCH_FROM * width * height);
  const high = quantile(histogram, STRETCH_TO * width * height);
  // (red - low) / (high - low) < 0.3, also right for an image of one colour, where nothing is dark
  const dark = packBelow(reds, Math.ceil(low + DARK_BELOW * (high - low)), width, height);
  const large = keepLarge(componentsOf(unpackRuns(dark), width, 8), MIN_DARK_PX);
  return packRuns(fillEnclosed(large, width), width);
};

/** What a centre is drawn as: three kinds at level 1; four at the coarser ones, where edge and background make up class none. */
export type CentreKind = "positive" | "edge" | "background" | "nucleus" | "mixed";

/** Level planes of the pixels that can be centres of a kind. */
export type Candidates = Readonly<Partial<Record<CentreKind, BitPlane>>>;

/** Returns the candidates at level 1. */
export const finestCandidates = ({ mask, ring, background }: PixelClasses): Candidates => ({
  positive: mask,
  edge: ring,
  background,
});

/** What blocks of a level hold. */
export interface BlockContents {
  readonly reduction: number;
  readonly mask: BitPlane;
  readonly unmasked: BitPlane;
  /** With complete annotation alone: with sparse annotation no centre is drawn there. */
  readonly ring: BitPlane | undefined;
  readonly notBackground: BitPlane;
}

/** Returns what level-1 pixels hold, as blocks of one pixel. */
export const finestContents = ({ mask, ring, background }: PixelClasses, annotation: Annotation): BlockContents => ({
  reduction: 1,
  mask,
  unmasked: complement(mask),
  ring: annotation === "complete" ? ring : undefined,
  notBackground: complement(background),
});

/** Returns what the blocks of a level hold from those of a finer one, whose reduction divides the level's. */
export const coarserContents = (finer: BlockContents, reduction: number): BlockContents => {
  const n = reduction / finer.reduction;
  return {
    reduction,
    mask: anyInBlocks(finer.mask, n),
    unmasked: anyInBlocks(finer.unmasked, n),
    ring: finer.ring && anyInBlocks(finer.ring, n),
    notBackground: anyInBlocks(finer.notBackground, n),
  };
};

/**
 * Returns the candidates at a coarser level, with f the mean of the mask over a block: nucleus (f > .99), mixed (0 < f <= .99) and of
 * the rest background (wholly background) and, with complete annotation, edge (holds a ring pixel).
 */
export const coarserCandidates = ({ mask }: PixelClasses, contents: BlockContents): Candidates => {
  const nucleus = nucleusBlocks(mask, contents);
  const candidates = {
    nucleus,
    mixed: difference(contents.mask, nucleus),
    background: complement(contents.notBackground),
  };
  return contents.ring ? { ...candidates, edge: difference(contents.ring, contents.mask) } : candidates;
};

/** Returns the blocks with f > .99. Of 100 pixels and fewer that means all; only blocks of more that have gaps must be counted. */
const nucleusBlocks = (mask: BitPlane, contents: BlockContents): BitPlane => {
  const n = contents.reduction;
  const full = difference(contents.mask, contents.unmasked);
  if (n * n <= 100) return full;
  const { width, height } = full;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const block = {
        x: x * n,
        y: y * n,
        width: Math.min(n, mask.width - x * n),
        height: Math.min(n, mask.height - y * n),
      };
      if (100 * countInRect(mask, block) > 99 * block.width * block.height) setPixel(full, x, y);
    }
  }
  return full;
};
