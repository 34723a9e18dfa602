/** @file Filling holes of a mask and dropping its specks. Each returns a new 0/1 mask of width x height pixels. */
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

/**
 * Returns the mask with its holes filled (METHOD.md 5 and 7): every 4-connected background component of at most `maxHolePx` pixels,
 * to the letter: one at the image's border too.
 */
export const fillHoles = (mask: Uint8Array, width: number, height: number, maxHolePx: number): Uint8Array =>
  planeOf(fillRunHoles(findRuns(mask, width, height), width, maxHolePx), mask.length);

/** `fillHoles` on runs, which tuning fills thousands of times. */
export const fillRunHoles = (runs: Runs, width: number, maxHolePx: number): Runs => {
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
