/** @file Filling holes of a mask, opening it, cutting touching nuclei apart, and dropping specks. On planes each returns a new 0/1 mask of width x height pixels. */
import { invalid } from "../errors.ts";
import { complement as complementPlane } from "./bit-plane.ts";
import { packRuns, unpackRuns } from "./bit-runs.ts";
import { type Components, complement, componentsOf, keepComponents, keepLarge, type Runs } from "./components.ts";
import { cutNecks } from "./necks.ts";
import { anyWithin } from "./neighbourhood.ts";

/** What of a segmentation is taken for noise, in level-1 pixels. */
export interface Cleaning {
  /** Holes of at most this many pixels are filled. */
  readonly maxHolePx: number;
  /** Where no square of 2 * openingPx + 1 fits in, it is a spur or a bridge between nuclei; 0: nothing is. */
  readonly openingPx: number;
  /** Nuclei joined by a neck of less than 2 * neckPx + 1 pixels are cut apart (`cutNecks`); 0: none are. */
  readonly neckPx: number;
  /** What is left of fewer pixels is no nucleus. */
  readonly minNucleusPx: number;
}

/** METHOD.md's holes; the others as docs/accuracy.md found them: at 40x squares of .75 um, necks of 2.2 um and a disc 2.2 um wide, below any nucleus. */
export const DEFAULT_CLEANING: Cleaning = { maxHolePx: 150, openingPx: 1, neckPx: 4, minNucleusPx: 60 };

/** The furthest that an opening or a neck can reach: beyond it no nucleus is left. */
export const MAX_REACH_PX = 50;

/** Returns what of a message or a file is its cleaning. */
export const pickCleaning = ({ maxHolePx, openingPx, neckPx, minNucleusPx }: Cleaning): Cleaning => ({
  maxHolePx,
  openingPx,
  neckPx,
  minNucleusPx,
});

/** Throws DomainError `reason` where a size cannot be. */
export const checkCleaning = ({ maxHolePx, openingPx, neckPx, minNucleusPx }: Cleaning, reason: string): void => {
  if (maxHolePx < 0) throw invalid(reason, `Cannot fill holes of at most ${maxHolePx} pixels: give 0 or more`);
  if (openingPx < 0 || openingPx > MAX_REACH_PX)
    throw invalid(reason, `Cannot open nuclei by ${openingPx} pixels: give 0 to ${MAX_REACH_PX}`);
  if (neckPx < 0 || neckPx > MAX_REACH_PX)
    throw invalid(reason, `Cannot cut necks of ${neckPx} pixels: give 0 to ${MAX_REACH_PX}`);
  if (minNucleusPx < 0)
    throw invalid(reason, `Cannot drop nuclei of fewer than ${minNucleusPx} pixels: give 0 or more`);
};

/** Returns the sizes in pixels of an image that has `scale` level-1 pixels to a pixel. */
export const scaleCleaning = ({ maxHolePx, openingPx, neckPx, minNucleusPx }: Cleaning, scale: number): Cleaning => ({
  maxHolePx: Math.floor(maxHolePx / scale ** 2),
  openingPx: Math.min(MAX_REACH_PX, Math.round(openingPx / scale)),
  neckPx: Math.min(MAX_REACH_PX, Math.round(neckPx / scale)),
  minNucleusPx: Math.ceil(minNucleusPx / scale ** 2),
});

/** Returns the 8-connected components of a mask with its holes filled, then opened, cut at necks, then without those of too few pixels. */
export const cleanRuns = (runs: Runs, width: number, cleaning: Cleaning): Components => {
  const { maxHolePx, openingPx, neckPx, minNucleusPx } = cleaning;
  const bodies = componentsOf(openRuns(fillRunHoles(runs, width, maxHolePx), width, openingPx), width, 8);
  return keepLarge(cutNecks(bodies, width, neckPx), minNucleusPx);
};

/** The pixels that lie in a square of 2 * `reach` + 1 within the runs (opening: erosion, then dilation); beyond the border all is within. */
const openRuns = (runs: Runs, width: number, reach: number): Runs => {
  if (reach === 0) return runs;
  const outside = complementPlane(packRuns(runs, width));
  const eroded = complementPlane(anyWithin(outside, reach, reach));
  return unpackRuns(anyWithin(eroded, reach, reach));
};

/**
 * Fills holes (METHOD.md 5 and 7): every 4-connected background component of at most `maxHolePx` pixels, to the letter: one at the image's border
 * too. An image without nuclei is no hole, however small.
 */
const fillRunHoles = (runs: Runs, width: number, maxHolePx: number): Runs => {
  if (runs.starts.length === 0) return runs;
  const background = componentsOf(complement(runs, width), width, 4);
  return complement(keepLarge(background, maxHolePx + 1), width);
};

/** Returns the runs with every 4-connected background component filled that does not reach the border, whatever its size. */
export const fillEnclosed = (runs: Runs, width: number): Runs => {
  const background = componentsOf(complement(runs, width), width, 4);
  const { starts, ends, rows, owners, count } = background;
  const lastRow = width * (rows.length - 2);
  const reachesBorder = new Uint8Array(count);
  for (let run = 0; run < starts.length; run++) {
    const start = starts[run]!;
    const onBorder = start % width === 0 || ends[run]! % width === 0 || start < width || start >= lastRow;
    if (onBorder) reachesBorder[owners[run]!] = 1;
  }
  return complement(
    keepComponents(background, (component) => reachesBorder[component] === 1),
    width,
  );
};
