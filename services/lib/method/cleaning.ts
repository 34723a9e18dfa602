/** @file Filling holes of a mask and dropping its specks. On masks each returns a new 0/1 mask of width x height pixels. */
import { invalid } from "../errors.ts";
import {
  type Components,
  type Connectivity,
  complement,
  componentsOf,
  filterRuns,
  findComponents,
  findRuns,
  planeOf,
  type Runs,
} from "./components.ts";

/** What of a segmentation is taken for noise, in level-1 pixels. */
export interface Cleaning {
  /** Holes of at most this many pixels are filled. */
  readonly maxHolePx: number;
  /** What is left of fewer pixels is no nucleus. */
  readonly minNucleusPx: number;
}

/** METHOD.md's holes; and of a disc of 2.2 um at 40x, a third of the smallest nuclei's diameter, 60 pixels (docs/accuracy.md). */
export const DEFAULT_CLEANING: Cleaning = { maxHolePx: 150, minNucleusPx: 60 };

/** Throws DomainError `reason` where areas are negative. */
export const checkCleaning = ({ maxHolePx, minNucleusPx }: Cleaning, reason: string): void => {
  if (maxHolePx < 0) throw invalid(reason, `Cannot fill holes of at most ${maxHolePx} pixels: give 0 or more`);
  if (minNucleusPx < 0)
    throw invalid(reason, `Cannot drop nuclei of fewer than ${minNucleusPx} pixels: give 0 or more`);
};

/** Returns the areas in pixels of an image that has `scale` level-1 pixels to a pixel. */
export const scaleCleaning = ({ maxHolePx, minNucleusPx }: Cleaning, scale: number): Cleaning => ({
  maxHolePx: Math.floor(maxHolePx / scale ** 2),
  minNucleusPx: Math.ceil(minNucleusPx / scale ** 2),
});

/** Returns the mask with its holes filled, and then without its 8-connected components of too few pixels. */
export const cleanMask = (mask: Uint8Array, width: number, height: number, cleaning: Cleaning): Uint8Array =>
  planeOf(cleanRuns(findRuns(mask, width, height), width, cleaning), mask.length);

/** `cleanMask` on runs, which tuning cleans thousands of times. */
export const cleanRuns = (runs: Runs, width: number, { maxHolePx, minNucleusPx }: Cleaning): Runs => {
  const filled = fillRunHoles(runs, width, maxHolePx);
  if (minNucleusPx <= 1) return filled;
  const components = componentsOf(filled, width, 8);
  const { areas, owners } = components;
  return filterRuns(components, (run) => areas[owners[run]!]! >= minNucleusPx);
};

/**
 * Returns the mask with its holes filled (METHOD.md 5 and 7): every 4-connected background component of at most `maxHolePx` pixels,
 * to the letter: one at the image's border too.
 */
export const fillHoles = (mask: Uint8Array, width: number, height: number, maxHolePx: number): Uint8Array =>
  planeOf(fillRunHoles(findRuns(mask, width, height), width, maxHolePx), mask.length);

const fillRunHoles = (runs: Runs, width: number, maxHolePx: number): Runs => {
  const background = componentsOf(complement(runs, width), width, 4);
  const { areas, owners } = background;
  return complement(
    filterRuns(background, (run) => areas[owners[run]!]! > maxHolePx),
    width,
  );
};

/** Returns the mask with every 4-connected background component filled that does not reach the border, whatever its size. */
export const fillEnclosed = (mask: Uint8Array, width: number, height: number): Uint8Array => {
  const background = findComponents(mask, width, height, 4, "unset");
  const reachesBorder = new Uint8Array(background.count);
  const { starts, ends, owners } = background;
  for (let run = 0; run < starts.length; run++) {
    const start = starts[run]!;
    const onBorder = start % width === 0 || ends[run]! % width === 0 || start < width || start >= width * (height - 1);
    if (onBorder) reachesBorder[owners[run]!] = 1;
  }
  return paint(mask, background, 1, (component) => reachesBorder[component] === 0);
};

/** Returns the mask without its components of fewer than `minPx` pixels. */
export const dropSmall = (
  mask: Uint8Array,
  width: number,
  height: number,
  minPx: number,
  connectivity: Connectivity,
): Uint8Array => {
  const components = findComponents(mask, width, height, connectivity);
  return paint(mask, components, 0, (component) => components.areas[component]! < minPx);
};

const paint = (
  mask: Uint8Array,
  components: Components,
  value: 0 | 1,
  isChosen: (component: number) => boolean,
): Uint8Array => {
  const painted = mask.slice();
  const { starts, ends, owners } = components;
  for (let run = 0; run < starts.length; run++) {
    if (isChosen(owners[run]!)) painted.fill(value, starts[run]!, ends[run]!);
  }
  return painted;
};
