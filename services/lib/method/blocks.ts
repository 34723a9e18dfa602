/** @file METHOD.md, "Levels and geometry": the fixed grid of blocks, and tiles as whole numbers of blocks. */
import { invalid } from "../errors.ts";
import type { Rect } from "./image.ts";

/** Largest lcm of reductions: beyond it a block would be larger than a tile should be. */
const MAX_LCM = 2000;
/** Least side of a block, in level-1 pixels. */
const MIN_BLOCK_PX = 500;
/** The side that a tile has by default is the whole number of blocks nearest to this. */
const DEFAULT_TILE_PX = 2000;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Returns the least common multiple of positive integers. */
export const lcm = (values: readonly number[]): number => values.reduce((a, b) => (a / gcd(a, b)) * b, 1);

/**
 * Checks that reductions are integers, ascending from 1, with a common multiple that blocks can have.
 * Throws DomainError REDUCTIONS_INVALID.
 */
export const checkReductions = (reductions: readonly number[]): void => {
  const refuse = (why: string) =>
    invalid("REDUCTIONS_INVALID", `Cannot use the reductions "${reductions.join(", ")}": ${why}`);
  if (reductions[0] !== 1) throw refuse("the first must be 1, the finest level");
  let common = 1;
  for (const [i, reduction] of reductions.entries()) {
    if (!Number.isSafeInteger(reduction)) throw refuse(`"${reduction}" is not an integer`);
    if (i > 0 && reduction <= reductions[i - 1]!)
      throw refuse("they must ascend, from the finest level to the coarsest");
    common = lcm([common, reduction]);
    if (common > MAX_LCM) {
      throw refuse(
        `their least common multiple is over ${MAX_LCM}; choose reductions that divide each other, such as 1, 2, 4, 8`,
      );
    }
  }
};

/** Returns a block's side in level-1 pixels: the smallest multiple of lcm(reductions) that is at least 500. */
export const blockSide = (reductions: readonly number[]): number => {
  const common = lcm(reductions);
  return Math.ceil(MIN_BLOCK_PX / common) * common;
};

/** Returns the side of a tile where nobody chose one: the whole number of blocks nearest to 2000 level-1 pixels. */
export const defaultTile = (reductions: readonly number[]): number => {
  const side = blockSide(reductions);
  return Math.max(1, Math.round(DEFAULT_TILE_PX / side)) * side;
};

/** Checks that a tile's side (level-1 pixels) is a whole number of blocks. Throws DomainError TILE_INVALID that names the two nearest. */
export const checkTile = (tile: number, reductions: readonly number[]): void => {
  const side = blockSide(reductions);
  if (Number.isSafeInteger(tile) && tile > 0 && tile % side === 0) return;
  const below = Math.max(1, Math.floor(tile / side) || 1) * side;
  throw invalid(
    "TILE_INVALID",
    `Cannot use tiles of "${tile}" pixels: a tile is a whole number of blocks of ${side} pixels; take ${below} or ${below + side}`,
  );
};

/** Returns the tiles of an image of width x height level-1 pixels, row by row, clipped to the image. */
export const tileGrid = (width: number, height: number, tile: number): Rect[] =>
  blockGrid({ x: 0, y: 0, width, height }, tile);

/** Returns the blocks of the image's fixed grid in an area (level-1 pixels) that starts on that grid, row by row, clipped to it. */
export const blockGrid = (area: Rect, side: number): Rect[] => {
  if (area.x % side !== 0 || area.y % side !== 0) {
    throw new RangeError(`Cannot cut (${area.x}, ${area.y}) into blocks of ${side}: it is off the grid`);
  }
  const right = area.x + area.width;
  const bottom = area.y + area.height;
  const blocks: Rect[] = [];
  for (let y = area.y; y < bottom; y += side) {
    for (let x = area.x; x < right; x += side) {
      blocks.push({ x, y, width: Math.min(side, right - x), height: Math.min(side, bottom - y) });
    }
  }
  return blocks;
};

/** Returns an area cut into as few rows and columns of nearly equal size as keep within `maxSide`, row by row. */
export const evenGrid = (area: Rect, maxSide: number): Rect[] => {
  const across = evenSpans(area.x, area.width, maxSide);
  return evenSpans(area.y, area.height, maxSide).flatMap(([y, bottom]) =>
    across.map(([x, right]) => ({ x, y, width: right - x, height: bottom - y })),
  );
};

const evenSpans = (start: number, length: number, most: number): (readonly [number, number])[] => {
  const count = Math.ceil(length / most);
  const edge = (i: number): number => start + Math.floor((i * length) / count);
  return Array.from({ length: count }, (_, i) => [edge(i), edge(i + 1)] as const);
};

/**
 * Returns a rectangle of level-1 pixels in pixels of a level. Its left and top edge lie on pixel edges of that level; its right and
 * bottom edge too, or on the image's border, where the last level pixel is a partial block.
 */
export const rectAtLevel = (rect: Rect, reduction: number): Rect => {
  const x = rect.x / reduction;
  const y = rect.y / reduction;
  if (!Number.isInteger(x) || !Number.isInteger(y)) {
    throw new RangeError(`Cannot take (${rect.x}, ${rect.y}) to reduction ${reduction}: it is not on a pixel edge`);
  }
  return {
    x,
    y,
    width: Math.ceil((rect.x + rect.width) / reduction) - x,
    height: Math.ceil((rect.y + rect.height) / reduction) - y,
  };
};
