/**
 * @file Stain normalisation: an image as a scanner would have shown it, had its section been stained as strongly as every other. Light
 * absorbed is linear in the amount of stain (Beer-Lambert), so one factor per channel in optical density undoes a paler or darker stain
 * exactly; the factors are a function of the whole image, so tiles of it agree, and dense evaluation stays exact.
 */
import type { RgbImage } from "./image.ts";

/** Mean optical densities of red, green and blue that images are brought to: between the paler and the darker of what was seen. */
const REFERENCE: StainDensity = [0.4, 0.6, 0.35];
/** No channel is made more than this much darker or paler: an image without tissue has no stain to go by. */
const MAX_FACTOR = 4;
/** Pixels this dark in every channel are pen, folds and the border of a slide: no stain lets so little light through. */
const BLACK = 40;

/** Mean optical density (natural logarithm) of red, green and blue, each pixel weighted by its own total. */
export type StainDensity = readonly [number, number, number];

/** Names what `normalisationTable` does, for models: pixels that were normalised otherwise are other pixels. */
export const NORMALISATION = "mean density 1";

/** Optical density of an 8-bit intensity; 0 counts as 1. */
export const opticalDensity = (intensity: number): number => -Math.log(Math.max(intensity, 1) / 255);

/** The intensity, unrounded, that an optical density leaves of 255. */
export const intensityOf = (density: number): number => 255 * Math.exp(-density);

const DENSITY = Float64Array.from({ length: 256 }, (_, intensity) => opticalDensity(intensity));

/** Returns the stain density of an image; zeros where nothing absorbs light. Weighting by density leaves the white glass out. */
export function stainDensity({ data }: RgbImage): StainDensity {
  let red = 0;
  let green = 0;
  let blue = 0;
  let total = 0;
  for (let i = 0; i < data.length; i += 3) {
    if (data[i]! < BLACK && data[i + 1]! < BLACK && data[i + 2]! < BLACK) continue;
    const r = DENSITY[data[i]!]!;
    const g = DENSITY[data[i + 1]!]!;
    const b = DENSITY[data[i + 2]!]!;
    const weight = r + g + b;
    red += weight * r;
    green += weight * g;
    blue += weight * b;
    total += weight;
  }
  return total === 0 ? [0, 0, 0] : [red / total, green / total, blue / total];
}

/** Returns the normalised value of every intensity: 3 x 256, red, green, blue. */
export function normalisationTable(density: StainDensity): Uint8Array {
  const table = new Uint8Array(3 * 256);
  for (const [channel, mean] of density.entries()) {
    const wanted = REFERENCE[channel]! / Math.max(mean, 1e-6);
    const factor = Math.min(MAX_FACTOR, Math.max(1 / MAX_FACTOR, wanted));
    for (let value = 0; value < 256; value++) {
      table[256 * channel + value] = Math.round(intensityOf(factor * DENSITY[value]!));
    }
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
