/**
 * @file Stain normalisation: an image as a scanner would have shown it, had its lamp been white and its section stained as strongly as
 * every other. Light absorbed is linear in the amount of stain (Beer-Lambert), so one difference per channel in optical density undoes
 * the colour and brightness of the lamp (but for `WHITE_DOUBT`), one factor a paler or darker stain. Both are a function of the whole
 * image, so tiles of it agree, and dense evaluation stays exact.
 */
import type { RgbImage } from "./image.ts";
import { quantile } from "./quantile.ts";

/** Optical densities (natural logarithm) of red, green and blue; no tuple, so that a message can hold them. */
type Densities = number[];

/** Densities that images' tissue is brought to: between the paler and the darker of what was seen. */
const REFERENCE: Densities = [0.4, 0.6, 0.35];
/** No channel is made more than this much darker or paler: an image with next to no tissue has little stain to go by. */
const MAX_FACTOR = 4;
/** Pixels this dark in every channel are pen, folds and the border of a slide: no stain lets so little light through. */
const BLACK = 40;
/** The share of pixels taken for white: the palest, too few to hold a stain and too many to be noise. */
const WHITE_SHARE = 0.01;
/** White as it usually looks: the mean over images of one lamp (tnbc). */
const USUAL_WHITE: Densities = [0.08, 0.11, 0.075];
/**
 * The palest pixels differ by as much between images of one lamp, by how much glass they show (tnbc: standard deviations of .02 to
 * .03), so that only what differs more is taken for the lamp's.
 */
const WHITE_DOUBT = 0.025;
/** No lamp is taken for darker: an image full of tissue has no white to go by. */
const MAX_WHITE = 0.3;

/** How an image is stained, by channel. */
export interface StainDensity {
  /** The density of its white: what is that of the lamp, not of a stain. */
  readonly white: Densities;
  /** The mean density beyond white, each pixel weighted by its own total. */
  readonly tissue: Densities;
}

/** Names what `normalisationTable` does, for models: pixels that were normalised otherwise are other pixels. */
export const NORMALISATION = "mean density 3";

/** Optical density of an 8-bit intensity; 0 counts as 1. */
export const opticalDensity = (intensity: number): number => Math.log(255 / Math.max(intensity, 1));

/** The intensity, unrounded, that an optical density leaves of 255. */
export const intensityOf = (density: number): number => 255 * Math.exp(-density);

const DENSITY = Float64Array.from({ length: 256 }, (_, intensity) => opticalDensity(intensity));

/** Returns the stain density of an image; zeros where nothing absorbs light. Weighting by density leaves glass by the usual lamp out. */
export function stainDensity(image: RgbImage): StainDensity {
  const white = palestDensity(image).map(trustedWhite);
  const [reds, greens, blues] = [beyond(white[0]!), beyond(white[1]!), beyond(white[2]!)];
  let red = 0;
  let green = 0;
  let blue = 0;
  let total = 0;
  const { data } = image;
  for (let i = 0; i < data.length; i += 3) {
    if (isBlack(data, i)) continue;
    const r = reds[data[i]!]!;
    const g = greens[data[i + 1]!]!;
    const b = blues[data[i + 2]!]!;
    const weight = r + g + b;
    red += weight * r;
    green += weight * g;
    blue += weight * b;
    total += weight;
  }
  return { white, tissue: total === 0 ? [0, 0, 0] : [red / total, green / total, blue / total] };
}

const isBlack = (data: Uint8Array, at: number): boolean =>
  data[at]! < BLACK && data[at + 1]! < BLACK && data[at + 2]! < BLACK;

/** What every intensity absorbs beyond white. */
const beyond = (white: number): Float64Array => DENSITY.map((density) => Math.max(0, density - white));

/** The density by channel of the darkest among the palest pixels, each channel's own. */
function palestDensity({ data }: RgbImage): Densities {
  const [reds, greens, blues] = [new Uint32Array(256), new Uint32Array(256), new Uint32Array(256)];
  let pixels = 0;
  for (let i = 0; i < data.length; i += 3) {
    if (isBlack(data, i)) continue;
    reds[data[i]!]!++;
    greens[data[i + 1]!]!++;
    blues[data[i + 2]!]!++;
    pixels++;
  }
  const darker = pixels - Math.ceil(WHITE_SHARE * pixels);
  return [reds, greens, blues].map((histogram) => DENSITY[quantile(histogram, darker + 1)]!);
}

/** The density of white in a channel: the palest one's where it is the lamp's for certain. */
function trustedWhite(palest: number, channel: number): number {
  const usual = USUAL_WHITE[channel]!;
  const difference = palest - usual;
  const certain = Math.sign(difference) * Math.max(0, Math.abs(difference) - WHITE_DOUBT);
  return Math.min(MAX_WHITE, Math.max(0, usual + certain));
}

/** Returns the normalised value of every intensity: 3 x 256, red, green, blue. */
export function normalisationTable({ white, tissue }: StainDensity): Uint8Array {
  const table = new Uint8Array(3 * 256);
  for (const [channel, reference] of REFERENCE.entries()) {
    const wanted = tissue[channel]! > 0 ? reference / tissue[channel]! : 1;
    const factor = Math.min(MAX_FACTOR, Math.max(1 / MAX_FACTOR, wanted));
    const densities = beyond(white[channel]!).map((density) => factor * density);
    table.set(
      Uint8Array.from(densities, (density) => Math.round(intensityOf(density))),
      256 * channel,
    );
  }
  return table;
}

/** Replaces every value of an image by the table's, where it stands, and returns the image. */
export function normalise(image: RgbImage, table: Uint8Array): RgbImage {
  const { data } = image;
  for (let i = 0; i < data.length; i += 3) {
    data[i] = table[data[i]!]!;
    data[i + 1] = table[256 + data[i + 1]!]!;
    data[i + 2] = table[512 + data[i + 2]!]!;
  }
  return image;
}
