/**
 * @file What must be equal, and how exactly (METHOD.md, "Levels and geometry" and 5): the checks that `npm test` runs on generated
 * images and `npm run verify` on real ones. Each returns how much was compared and the largest difference.
 */
import { copyPlanes } from "../services/inference/planes.ts";
import type { ImageSource } from "../services/lib/images/image-source.ts";
import { blockGrid, blockSide, rectAtLevel, tileGrid } from "../services/lib/method/blocks.ts";
import type { CascadeThresholds, LevelCounts } from "../services/lib/method/cascade.ts";
import type { Cleaning } from "../services/lib/method/cleaning.ts";
import { createCentring } from "../services/lib/method/gaps.ts";
import type { Rect, RgbImage } from "../services/lib/method/image.ts";
import { levelSize, reduceImage } from "../services/lib/method/levels.ts";
import { mirroredLevelRegion, mirroredRegion, neededSource } from "../services/lib/method/mirror.ts";
import { composeParents, parentIndex, parentTables } from "../services/lib/method/parents.ts";
import { CLASSIFIED_PX, PATCH_SIZE_PX } from "../services/lib/method/patches.ts";
import type { Random } from "../services/lib/method/random.ts";
import { type MappedImage, simulate } from "../services/lib/method/simulation.ts";

/** What one check found on one image. */
export interface Comparison {
  readonly check: string;
  readonly image: string;
  /** What was compared: pixels, or whatever the check counts. */
  readonly compared: number;
  readonly largest: number;
  readonly allowed: number;
}

/** Says whether a check holds. One that compared nothing does not. */
export const isExact = ({ compared, largest, allowed }: Comparison): boolean => compared > 0 && largest <= allowed;

/** Dense and per-patch evaluation sum in another order; nothing else may differ at all. */
const DENSE_TOLERANCE = 1e-6;
/** A level of at most so many pixels is compared at every one of them; so many at a time where all are. */
const WHOLE_PX = 8_192;

/** How many random rows and columns of a larger level are compared, or every pixel. */
export type Lines = number | "every pixel";

/** Returns the largest absolute difference; NaN where a value is not a number, which no bound allows. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`Cannot compare ${a.length} values with ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(difference)) return difference;
    if (difference > largest) largest = difference;
  }
  return largest;
}

/**
 * Returns where a level is compared with its patches: everywhere if it is small or every pixel is asked for, else its borders, both sides of
 * the first block edge and `lines` random rows and columns.
 */
export function sampledRegions(width: number, height: number, edge: number, lines: Lines, random: Random): Rect[] {
  if (lines === "every pixel" || width * height <= WHOLE_PX) {
    const rows = Math.max(1, Math.floor(WHOLE_PX / width));
    return Array.from({ length: Math.ceil(height / rows) }, (_, i) => {
      return { x: 0, y: i * rows, width, height: Math.min(rows, height - i * rows) };
    });
  }
  const chosen = (length: number): number[] => {
    const drawn = Array.from({ length: lines }, () => Math.floor(random.next() * length));
    return [...new Set([0, edge - 1, edge, length - 1, ...drawn])].filter((at) => at >= 0 && at < length);
  };
  return [
    ...chosen(height).map((y) => ({ x: 0, y, width, height: 1 })),
    ...chosen(width).map((x) => ({ x, y: 0, width: 1, height })),
  ];
}

/** A region of a level whose pixels were each evaluated as a patch: float32 [3, h, w]. */
export interface PatchRegion {
  readonly level: number;
  readonly region: Rect;
  readonly probabilities: Float32Array;
}

/** (a) The maps of dense evaluation hold what the per-patch network gives. */
export function checkDense(
  name: string,
  image: MappedImage,
  reductions: readonly number[],
  patches: readonly PatchRegion[],
): Comparison[] {
  return reductions.map((reduction, i) => {
    const width = levelSize(image.width, reduction);
    const height = levelSize(image.height, reduction);
    let compared = 0;
    let largest = 0;
    for (const { region, probabilities } of patches.filter(({ level }) => level === i + 1)) {
      const dense = cutRegion(image.maps[i]!, width, height, region);
      largest = Math.max(largest, largestDifference(dense, probabilities));
      compared += region.width * region.height;
    }
    return { check: `dense = patches, level ${i + 1}`, image: name, compared, largest, allowed: DENSE_TOLERANCE };
  });
}

export function cutRegion(map: Float32Array, width: number, height: number, region: Rect): Float32Array {
  const cut = new Float32Array(3 * region.width * region.height);
  copyPlanes(map, { width, height }, cut, region, region);
  return cut;
}

/** (b) What is read for a block, from as little of the image as it needs, is what the reduced whole image has there. */
export async function checkLevels(
  name: string,
  source: ImageSource,
  whole: RgbImage,
  reductions: readonly number[],
): Promise<Comparison> {
  const { width, height } = whole;
  const surroundings = PATCH_SIZE_PX - 1;
  let compared = 0;
  let largest = 0;
  for (const reduction of reductions) {
    const level = reduceImage(whole, reduction);
    for (const block of blockGrid({ x: 0, y: 0, width, height }, blockSide(reductions))) {
      const rect = rectAtLevel(block, reduction);
      const [x, y] = [rect.x - CLASSIFIED_PX, rect.y - CLASSIFIED_PX];
      const region = { x, y, width: rect.width + surroundings, height: rect.height + surroundings };
      const wanted = { region, reduction, width, height };
      const read = mirroredLevelRegion(await source.readRegion(neededSource(wanted)), wanted);
      const expected = mirroredRegion(level, x, y, region.width, region.height);
      largest = Math.max(largest, largestDifference(read, expected));
      compared += region.width * region.height;
    }
  }
  return { check: "blocks read = whole image reduced", image: name, compared, largest, allowed: 0 };
}

/** (c) Maps computed in tiles of several sizes are the same bytes. */
export function checkTileSizes(name: string, byTile: readonly MappedImage[]): Comparison {
  const [first, ...others] = byTile;
  let compared = 0;
  let largest = 0;
  for (const other of others) {
    for (const [i, map] of other.maps.entries()) {
      largest = Math.max(largest, largestDifference(bytesOf(map), bytesOf(first!.maps[i]!)));
      compared += map.length / 3;
    }
  }
  return { check: "maps by any tile size", image: name, compared, largest, allowed: 0 };
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** What the cascade gave on an image, tile by tile. */
export interface TiledCascade {
  /** 0/1, the image's own pixels. */
  readonly mask: Uint8Array;
  readonly counts: readonly LevelCounts[];
}

/** How a cascade was run. */
export interface CascadeRun {
  /** What the thresholds are. */
  readonly by: string;
  readonly reductions: readonly number[];
  readonly thresholds: CascadeThresholds;
  /** The level that the image's own pixels are. */
  readonly endsAt: number;
  readonly cleaning: Cleaning;
}

/** (d) The cascade by tiles is the simulation on whole maps, at every pixel and in every count. */
export function checkCascade(
  name: string,
  image: MappedImage,
  { by, reductions, thresholds, endsAt, cleaning }: CascadeRun,
  byTiles: readonly TiledCascade[],
): Comparison[] {
  const simulated = simulate(image, reductions, thresholds, endsAt, cleaning);
  const numbers = (counts: readonly LevelCounts[]): number[] =>
    counts
      .toSorted((a, b) => a.level - b.level)
      .flatMap(({ level, computed, accepted, rejected }) => [level, computed, accepted, rejected]);
  const expected = numbers(simulated.counts);
  const show = shownAtLevelOne(image, reductions, endsAt);
  const masks = byTiles.map(({ mask }) => largestDifference(show(mask), simulated.mask));
  const counts = byTiles.map((cascade) => largestDifference(numbers(cascade.counts), expected));
  const how = `by ${by}, ending at level ${endsAt}`;
  return [
    {
      check: `cascade by tiles = simulation, ${how}`,
      image: name,
      compared: byTiles.length * simulated.mask.length,
      largest: Math.max(0, ...masks),
      allowed: 0,
    },
    {
      check: `cascade's counts = simulation's, ${how}`,
      image: name,
      compared: byTiles.length * expected.length,
      largest: Math.max(0, ...counts),
      allowed: 0,
    },
  ];
}

/** Returns what shows a mask of a coarser level in level-1 pixels, each as its ancestor is. Throws RangeError where it is not of that level's size. */
function shownAtLevelOne({ width, height }: MappedImage, reductions: readonly number[], level: number) {
  const whole = { x: 0, y: 0, width, height };
  const toCoarser = reductions.slice(1, level).map((n, i) => parentTables(whole, width, height, reductions[i]!, n));
  const [toSecond, ...further] = toCoarser;
  if (toSecond === undefined) return (mask: Uint8Array): Uint8Array => mask;
  const { columns, rows } = further.reduce(composeParents, toSecond);
  const [stride, lines] = [width, height].map((px) => levelSize(px, reductions[level - 1]!));
  return (mask: Uint8Array): Uint8Array => {
    if (mask.length !== stride! * lines!) throw new RangeError(`Cannot show ${mask.length} pixels`);
    const shown = new Uint8Array(width * height);
    let at = 0;
    for (const row of rows) for (const column of columns) shown[at++] = mask[row * stride! + column]!;
    return shown;
  };
}

/** (e) Every parent of a tile's pixel lies in that tile, and is the parent that the whole image gives. Counts those that do not. */
export function checkParents(name: string, width: number, height: number, reductions: readonly number[]): Comparison {
  let compared = 0;
  let strays = 0;
  for (const tile of tileGrid(width, height, blockSide(reductions))) {
    for (let i = 1; i < reductions.length; i++) {
      const [nFine, nCoarse] = [reductions[i - 1]!, reductions[i]!];
      const { columns, rows } = parentTables(tile, width, height, nFine, nCoarse);
      const fine = rectAtLevel(tile, nFine);
      const coarse = rectAtLevel(tile, nCoarse);
      const isStray = (parent: number, at: number, start: number, count: number, fullPx: number): boolean =>
        parent < 0 || parent >= count || parent + start !== parentIndex(at, nFine, nCoarse, levelSize(fullPx, nCoarse));
      for (const [x, parent] of columns.entries())
        if (isStray(parent, fine.x + x, coarse.x, coarse.width, width)) strays++;
      for (const [y, parent] of rows.entries())
        if (isStray(parent, fine.y + y, coarse.y, coarse.height, height)) strays++;
      compared += columns.length + rows.length;
    }
  }
  return { check: "parents stay in their tile", image: name, compared, largest: strays, allowed: 0 };
}

/** What of a level is accepted, and what rejected, by `openingThresholds`: the rest goes on, so that every level has work. */
const ACCEPTED = 0.15;
const REJECTED = 0.35;

/**
 * Returns thresholds by which every level accepts, rejects and passes on some pixels of these images, whatever the network; those of levels
 * finer than the one it ends at are none.
 */
export function openingThresholds(images: readonly MappedImage[], levels: number, endsAt = 1): CascadeThresholds {
  return Array.from({ length: levels }, (_, i) => {
    const maps = images.map((image) => image.maps[i]!);
    const at = (part: number, mixedShare: number): number =>
      createCentring({ maps, mixedShare })(quantile(maps, mixedShare, part));
    if (i + 1 < endsAt) return {};
    if (i + 1 === endsAt) return endsAt === 1 ? { lower: at(0.5, 0) } : { final: at(0.5, 0.5) };
    return { lower: at(REJECTED, 1), upper: at(1 - ACCEPTED, 0) };
  });
}

function quantile(maps: readonly Float32Array[], mixedShare: number, part: number): number {
  const total = maps.reduce((sum, map) => sum + map.length / 3, 0);
  const values = new Float64Array(total);
  let to = 0;
  for (const map of maps) {
    const pixels = map.length / 3;
    for (let i = 0; i < pixels; i++) values[to++] = map[2 * pixels + i]! + mixedShare * map[pixels + i]!;
  }
  return values.sort()[Math.floor(part * (total - 1))] ?? 0;
}
