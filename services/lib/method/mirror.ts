/** @file METHOD.md, "Levels and geometry": beyond the border the level image is mirrored, edge pixel repeated. */
import type { Rect, RgbImage } from "./image.ts";
import { levelSize, reduceImage } from "./levels.ts";

/** Returns the index in 0..size-1 that stands at `i`, any integer: … 1 0 | 0 1 … size-1 | size-1 size-2 … */
export const reflect = (i: number, size: number): number => {
  const period = 2 * size;
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - 1 - folded;
};

/**
 * Returns planar RGB [3, h, w] of a region of an image; the region may reach beyond the border by any distance. The reference that
 * everything read in parts must equal.
 */
export const mirroredRegion = (image: RgbImage, x: number, y: number, w: number, h: number): Uint8Array<ArrayBuffer> =>
  gather(image, reflections(x, w, image.width, 0), reflections(y, h, image.height, 0));

/** Which pixels of an image's level are asked for, in level pixels; it may reach beyond the border. */
export interface LevelRegion {
  readonly region: Rect;
  readonly reduction: number;
  /** The whole image, in level-1 pixels. */
  readonly width: number;
  readonly height: number;
}

/** Returns the level-1 rectangle of the image that holds all a mirrored level region needs. */
export const neededSource = ({ region, reduction, width, height }: LevelRegion): Rect => {
  const [x, right] = neededSpan(region.x, region.width, width, reduction);
  const [y, bottom] = neededSpan(region.y, region.height, height, reduction);
  return { x, y, width: right - x, height: bottom - y };
};

/**
 * Returns planar RGB [3, h, w] of a mirrored level region, made from the part of the level-1 image that `neededSource` names:
 * the same bytes as reducing the whole image and taking its `mirroredRegion`.
 */
export const mirroredLevelRegion = (source: RgbImage, wanted: LevelRegion): Uint8Array<ArrayBuffer> => {
  const origin = neededSource(wanted);
  if (source.width !== origin.width || source.height !== origin.height) {
    throw new RangeError(
      `Cannot cut a level region from ${source.width}x${source.height} pixels: it needs ${origin.width}x${origin.height}`,
    );
  }
  return mirroredPart(reduceImage(source, wanted.reduction), origin, wanted);
};

/**
 * Returns planar RGB [3, h, w] of a mirrored level region, made from a part of the level: that of level-1 pixels from `origin` on (on pixel
 * edges of the level), which holds all that is needed; written into `planar` where that is given.
 */
export const mirroredPart = (
  level: RgbImage,
  origin: { readonly x: number; readonly y: number },
  { region, reduction, width, height }: LevelRegion,
  planar?: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> =>
  gather(
    level,
    reflections(region.x, region.width, levelSize(width, reduction), origin.x / reduction),
    reflections(region.y, region.height, levelSize(height, reduction), origin.y / reduction),
    planar,
  );

const neededSpan = (start: number, count: number, fullPx: number, n: number): readonly [number, number] => {
  const [least, most] = levelSpan(start, count, fullPx, n);
  return [least * n, Math.min((most + 1) * n, fullPx)];
};

/** Returns the least and the greatest level pixel that a span of a mirrored level shows, along an axis of `fullPx` level-1 pixels. */
export const levelSpan = (start: number, count: number, fullPx: number, n: number): readonly [number, number] => {
  const needed = reflections(start, count, levelSize(fullPx, n), 0);
  let least = needed[0]!;
  let most = least;
  for (const index of needed) {
    if (index < least) least = index;
    if (index > most) most = index;
  }
  return [least, most];
};

/** Returns where each of `count` pixels from `start` on is taken from, as an index less `origin`. */
export const reflections = (start: number, count: number, size: number, origin: number): Int32Array => {
  const indices = new Int32Array(count);
  for (let i = 0; i < count; i++) indices[i] = reflect(start + i, size) - origin;
  return indices;
};

const gather = (
  { data, width }: RgbImage,
  columns: Int32Array,
  rows: Int32Array,
  planar: Uint8Array<ArrayBuffer> = new Uint8Array(3 * columns.length * rows.length),
): Uint8Array<ArrayBuffer> => {
  const plane = columns.length * rows.length;
  const [first = 0, last = 0] = [columns[0], columns.at(-1)];
  const isStraight = last - first === columns.length - 1 && columns.every((column, i) => column === first + i);
  const red = planar.subarray(0, plane);
  const green = planar.subarray(plane, 2 * plane);
  const blue = planar.subarray(2 * plane);
  for (let y = 0, to = 0; y < rows.length; y++) {
    const start = 3 * rows[y]! * width;
    if (isStraight) {
      for (let from = start + 3 * first, end = to + columns.length; to < end; to++, from += 3) {
        red[to] = data[from]!;
        green[to] = data[from + 1]!;
        blue[to] = data[from + 2]!;
      }
      continue;
    }
    for (let i = 0; i < columns.length; i++, to++) {
      const from = start + 3 * columns[i]!;
      red[to] = data[from]!;
      green[to] = data[from + 1]!;
      blue[to] = data[from + 2]!;
    }
  }
  return planar;
};
