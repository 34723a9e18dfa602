import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import type { RgbImage } from "./image.ts";
import { levelSize } from "./levels.ts";
import { mirroredLevelRegion, neededSource } from "./mirror.ts";
import { createRandom } from "./random.ts";
import {
  levelOnePx,
  mirroredScaledRegion,
  neededPixels,
  resolutionOf,
  resultTable,
  type ScaledRegion,
} from "./resolution.ts";

const REDUCTIONS = [1, 2, 4, 10];

const noise = (width: number, height: number): RgbImage => {
  const random = createRandom("resolution", width, height);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)) };
};

const crop = (image: RgbImage, { x, y, width, height }: ReturnType<typeof neededPixels>): RgbImage => {
  const data = new Uint8Array(3 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 3 * ((y + row) * image.width + x);
    data.set(image.data.subarray(from, from + 3 * width), 3 * row * width);
  }
  return { width, height, data };
};

const regionOf = (image: RgbImage, wanted: ScaledRegion): Uint8Array =>
  mirroredScaledRegion(crop(image, neededPixels(wanted)), wanted);

/** The mean over the area of each level pixel, from the definition: every image pixel, every overlap. */
const byDefinition = (image: RgbImage, scale: number, reduction: number, column: number, row: number): number[] => {
  const per = reduction / scale;
  const overlap = (pixel: number, index: number) =>
    Math.max(0, Math.min(pixel + 1, (index + 1) * per) - Math.max(pixel, index * per));
  const sums = [0, 0, 0];
  let area = 0;
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      const weight = overlap(x, column) * overlap(y, row);
      area += weight;
      for (let c = 0; c < 3; c++) sums[c]! += weight * image.data[3 * (y * image.width + x) + c]!;
    }
  }
  return sums.map((sum) => sum / area);
};

test("an image within 15 % of a level is taken as that level, finer levels are left out", () => {
  assert.deepEqual(resolutionOf(0.25, 0.25, REDUCTIONS), { scale: 1, finest: 1 });
  assert.deepEqual(resolutionOf(0.28, 0.25, REDUCTIONS), { scale: 1, finest: 1 });
  assert.deepEqual(resolutionOf(0.5, 0.25, REDUCTIONS), { scale: 2, finest: 2 });
  assert.deepEqual(resolutionOf(0.499, 0.25, REDUCTIONS), { scale: 2, finest: 2 });
  assert.deepEqual(resolutionOf(1.1, 0.25, REDUCTIONS), { scale: 4, finest: 3 });
});

test("an image between two levels serves the coarser by an area-weighted mean, one finer than level 1 serves all", () => {
  assert.deepEqual(resolutionOf(0.4, 0.25, REDUCTIONS), { scale: 1.6, finest: 2 });
  assert.deepEqual(resolutionOf(0.125, 0.25, REDUCTIONS), { scale: 0.5, finest: 1 });
});

test("an image coarser than the coarsest level is refused", () => {
  assert.throws(
    () => resolutionOf(5, 0.25, REDUCTIONS),
    (error) => error instanceof DomainError && error.reason === "RESOLUTION_TOO_COARSE",
  );
});

test("at the models' own resolution a region is the same bytes as by block means", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 45 }),
      fc.integer({ min: 1, max: 45 }),
      fc.constantFrom(1, 2, 4, 10),
      fc.integer({ min: -20, max: 20 }),
      (width, height, reduction, x) => {
        const image = noise(width, height);
        const region = { x, y: -3, width: 9, height: 7 };
        const wanted = { region, reduction, width, height, scale: 1, imageWidth: width, imageHeight: height };
        const expected = mirroredLevelRegion(crop(image, neededSource(wanted)), wanted);
        assert.deepEqual(regionOf(image, wanted), expected);
      },
    ),
    { numRuns: 100 },
  );
});

test("at any resolution a level pixel is the area-weighted mean of what it covers", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(0.5, 0.8, 1.6, 2, 2.2, 3),
      fc.constantFrom(4, 10),
      fc.integer({ min: 5, max: 17 }),
      fc.integer({ min: 5, max: 17 }),
      (scale, reduction, imageWidth, imageHeight) => {
        const image = noise(imageWidth, imageHeight);
        const width = levelOnePx(imageWidth, scale);
        const height = levelOnePx(imageHeight, scale);
        const size = { width: levelSize(width, reduction), height: levelSize(height, reduction) };
        const region = { x: 0, y: 0, ...size };
        const given = regionOf(image, { region, reduction, width, height, scale, imageWidth, imageHeight });
        const plane = size.width * size.height;
        for (let row = 0; row < size.height; row++) {
          for (let column = 0; column < size.width; column++) {
            const expected = byDefinition(image, scale, reduction, column, row);
            for (let c = 0; c < 3; c++) {
              const off = Math.abs(given[c * plane + row * size.width + column]! - expected[c]!);
              assert.ok(off <= 0.5 + 1e-6, `channel ${c} of (${column}, ${row}) is ${off} off`);
            }
          }
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a 20x image taken as level 2 gives level 2 its own pixels, and results their own places", () => {
  const image = noise(37, 21);
  const width = levelOnePx(37, 2);
  const height = levelOnePx(21, 2);
  const region = { x: 0, y: 0, width: 37, height: 21 };
  const given = regionOf(image, { region, reduction: 2, width, height, scale: 2, imageWidth: 37, imageHeight: 21 });
  for (let i = 0; i < 37 * 21; i++)
    for (let c = 0; c < 3; c++) assert.equal(given[c * 37 * 21 + i], image.data[3 * i + c]);
  assert.deepEqual(
    [...resultTable(37, 2, [1, 2])],
    Array.from({ length: 37 }, (_, i) => i),
  );
  assert.deepEqual(
    [...resultTable(37, 10, REDUCTIONS)],
    Array.from({ length: 37 }, (_, i) => i),
  );
});

test("every pixel of an image takes its result from within the level, in order", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.double({ min: 0.2, max: 12, noNaN: true }),
      fc.integer({ min: 1, max: 4 }),
      (imagePx, scale, levels) => {
        const reductions = REDUCTIONS.slice(0, levels);
        const table = resultTable(imagePx, scale, reductions);
        const last = levelSize(levelOnePx(imagePx, scale), reductions.at(-1)!) - 1;
        for (let i = 0; i < imagePx; i++) {
          assert.ok(table[i]! >= 0 && table[i]! <= last);
          if (i > 0) assert.ok(table[i]! >= table[i - 1]!);
        }
      },
    ),
  );
});
