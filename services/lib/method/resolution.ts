/**
 * @file METHOD.md, "Levels and geometry": images of another resolution than the models'. Level-1 pixels are always the models'; an image
 * serves a level by an area-weighted mean of its own pixels on a grid fixed at its origin, or as it is where it fits within 15 %.
 */
import { invalid } from "../errors.ts";
import type { Rect, RgbImage } from "./image.ts";
import { levelSize } from "./levels.ts";
import { type LevelRegion, levelSpan, reflections } from "./mirror.ts";
import { parentTable } from "./parents.ts";

/** Micrometres per pixel of images: beyond light's resolution, or where no nucleus is seen, the number is of another unit. */
const [MIN_MPP, MAX_MPP] = [0.01, 100] as const;
/** Which they are, for messages. */
export const MPP_RANGE = `a number from ${MIN_MPP} to ${MAX_MPP}`;
export const isPossibleMpp = (mpp: number): boolean => mpp >= MIN_MPP && mpp <= MAX_MPP;
/** An image within this much of a level's resolution is taken as that level. */
const TOLERANCE = 0.15;

/** How an image serves the levels. */
export interface Resolution {
  /** Level-1 pixels per pixel of the image, along an axis. */
  readonly scale: number;
  /** The finest level the image can serve; finer ones are left out. */
  readonly finest: number;
}

/**
 * Returns how an image of `imageMpp` micrometres per pixel serves levels whose level 1 was trained at `modelMpp`.
 * Throws DomainError RESOLUTION_TOO_COARSE where it is coarser than the coarsest level.
 */
export const resolutionOf = (imageMpp: number, modelMpp: number, reductions: readonly number[]): Resolution => {
  const fitting = reductions.findIndex((n) => Math.abs(imageMpp / (modelMpp * n) - 1) <= TOLERANCE);
  if (fitting >= 0) return { scale: reductions[fitting]!, finest: fitting + 1 };
  const coarser = reductions.findIndex((n) => modelMpp * n > imageMpp);
  if (coarser >= 0) return { scale: imageMpp / modelMpp, finest: coarser + 1 };
  const coarsest = modelMpp * (reductions.at(-1) ?? 1);
  throw invalid(
    "RESOLUTION_TOO_COARSE",
    `Cannot use an image of ${imageMpp} um/px: the coarsest level is ${coarsest} um/px; scan it finer, or correct its resolution`,
  );
};

/** Absorbs what a product of two doubles is above a whole number it should be. */
const EPSILON = 1e-9;
const HALF = 0.5 + EPSILON;

/** Returns a side of an image in level-1 pixels. */
export const levelOnePx = (imagePx: number, scale: number): number => Math.max(1, Math.ceil(imagePx * scale - EPSILON));

/** A level region of an image that has pixels of its own size. */
export interface ScaledRegion extends LevelRegion {
  readonly scale: number;
  /** In pixels of the image. */
  readonly imageWidth: number;
  readonly imageHeight: number;
}

/** Returns the rectangle of the image, in its own pixels, that holds all a mirrored level region needs. */
export const neededPixels = (wanted: ScaledRegion): Rect => {
  const { region, reduction, scale } = wanted;
  const [x, right] = imageSpan(
    levelSpan(region.x, region.width, wanted.width, reduction),
    reduction / scale,
    wanted.imageWidth,
  );
  const [y, bottom] = imageSpan(
    levelSpan(region.y, region.height, wanted.height, reduction),
    reduction / scale,
    wanted.imageHeight,
  );
  return { x, y, width: right - x, height: bottom - y };
};

/** Returns planar RGB [3, h, w] of a mirrored level region, made from the part of the image that `neededPixels` names. */
export const mirroredScaledRegion = (source: RgbImage, wanted: ScaledRegion): Uint8Array<ArrayBuffer> => {
  const { region, reduction, scale } = wanted;
  const origin = neededPixels(wanted);
  if (source.width !== origin.width || source.height !== origin.height) {
    throw new RangeError(
      `Cannot cut a level region from ${source.width}x${source.height} pixels: it needs ${origin.width}x${origin.height}`,
    );
  }
  const columns = reflections(region.x, region.width, levelSize(wanted.width, reduction), 0);
  const rows = reflections(region.y, region.height, levelSize(wanted.height, reduction), 0);
  const across = axisWeights(columns, reduction / scale, origin.x, wanted.imageWidth);
  const down = axisWeights(rows, reduction / scale, origin.y, wanted.imageHeight);
  return averageAreas(source, across, down);
};

const imageSpan = (
  [least, most]: readonly [number, number],
  perPixel: number,
  imagePx: number,
): readonly [number, number] => [
  Math.min(Math.floor(least * perPixel + EPSILON), imagePx - 1),
  Math.min(Math.ceil((most + 1) * perPixel - EPSILON), imagePx),
];

/** Which pixels of the source a level pixel covers along an axis, and how much of each. */
interface AxisWeights {
  readonly first: Int32Array;
  readonly weights: readonly Float64Array[];
}

const axisWeights = (indices: Int32Array, perPixel: number, origin: number, imagePx: number): AxisWeights => {
  const first = new Int32Array(indices.length);
  const weights: Float64Array[] = [];
  for (const [i, index] of indices.entries()) {
    const [from, to] = imageSpan([index, index], perPixel, imagePx);
    first[i] = from - origin;
    const own = new Float64Array(to - from);
    for (let pixel = from; pixel < to; pixel++) {
      const covered = Math.min(pixel + 1, (index + 1) * perPixel) - Math.max(pixel, index * perPixel);
      own[pixel - from] = covered;
    }
    weights.push(own);
  }
  return { first, weights };
};

/** Mean over each area, rounded half up, as in `reduceImage`: shares of a pixel such as 1/3 leave a half that much below itself. */
const averageAreas = ({ data, width }: RgbImage, across: AxisWeights, down: AxisWeights): Uint8Array<ArrayBuffer> => {
  const plane = across.weights.length * down.weights.length;
  const planar = new Uint8Array(3 * plane);
  let to = 0;
  for (const [row, rowWeights] of down.weights.entries()) {
    for (const [column, columnWeights] of across.weights.entries()) {
      const start = down.first[row]! * width + across.first[column]!;
      let red = 0;
      let green = 0;
      let blue = 0;
      let area = 0;
      for (let dy = 0; dy < rowWeights.length; dy++) {
        for (let dx = 0; dx < columnWeights.length; dx++) {
          const weight = rowWeights[dy]! * columnWeights[dx]!;
          const from = 3 * (start + dy * width + dx);
          red += weight * data[from]!;
          green += weight * data[from + 1]!;
          blue += weight * data[from + 2]!;
          area += weight;
        }
      }
      planar[to] = Math.floor(red / area + HALF);
      planar[to + plane] = Math.floor(green / area + HALF);
      planar[to + 2 * plane] = Math.floor(blue / area + HALF);
      to++;
    }
  }
  return planar;
};

/**
 * Returns, for every pixel of an image along an axis, the pixel of the level that a cascade ends at (the last of `reductions`, finest
 * first) that it takes its result from: the level-1 pixel that holds its centre, then parent by parent.
 */
export const resultTable = (imagePx: number, scale: number, reductions: readonly number[]): Int32Array => {
  const fullPx = levelOnePx(imagePx, scale);
  let table = Int32Array.from({ length: imagePx }, (_, j) =>
    Math.min(Math.floor(((2 * j + 1) * scale) / 2), fullPx - 1),
  );
  for (let i = 1; i < reductions.length; i++) {
    const finer = reductions[i - 1]!;
    const parents = parentTable(0, levelSize(fullPx, finer), finer, reductions[i]!, fullPx);
    table = table.map((pixel) => parents[pixel]!);
  }
  return table;
};
