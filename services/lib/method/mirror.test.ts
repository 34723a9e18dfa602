import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Rect, RgbImage } from "./image.ts";
import { reduceImage } from "./levels.ts";
import { mirroredLevelRegion, mirroredRegion, neededSource, reflect } from "./mirror.ts";
import { createRandom } from "./random.ts";

const randomImage = (width: number, height: number, seed: number): RgbImage => {
  const random = createRandom("image", seed);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)) };
};

const crop = (image: RgbImage, { x, y, width, height }: Rect): RgbImage => {
  const data = new Uint8Array(3 * width * height);
  for (let row = 0; row < height; row++) {
    const from = 3 * ((y + row) * image.width + x);
    data.set(image.data.subarray(from, from + 3 * width), 3 * row * width);
  }
  return { width, height, data };
};

test("repeats the edge pixel and goes back and forth over any distance", () => {
  const at = (size: number) => Array.from({ length: 12 }, (_, i) => reflect(i - 5, size));
  assert.deepEqual(at(3), [1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0]);
  assert.deepEqual(at(1), new Array(12).fill(0));
  assert.equal(reflect(-1_000_001, 1_000), 0);
});

test("cuts planar channels, mirrored beyond the border", () => {
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6);
  const region = mirroredRegion({ width: 2, height: 1, data }, -1, -1, 4, 2);
  assert.deepEqual([...region], [1, 1, 4, 4, 1, 1, 4, 4, 2, 2, 5, 5, 2, 2, 5, 5, 3, 3, 6, 6, 3, 3, 6, 6]);
});

const size = fc.integer({ min: 1, max: 50 });
const offset = fc.integer({ min: -70, max: 70 });
const extent = fc.integer({ min: 1, max: 45 });

test("a level region from the part of the image that it needs equals one from the whole image", () => {
  fc.assert(
    fc.property(
      fc.record({ width: size, height: size, x: offset, y: offset, w: extent, h: extent }),
      fc.integer({ min: 1, max: 11 }),
      fc.integer(),
      ({ width, height, x, y, w, h }, reduction, seed) => {
        const image = randomImage(width, height, seed);
        const wanted = { region: { x, y, width: w, height: h }, reduction, width, height };
        const source = neededSource(wanted);
        assert.ok(
          source.x >= 0 && source.y >= 0 && source.x + source.width <= width && source.y + source.height <= height,
        );
        assert.deepEqual(
          mirroredLevelRegion(crop(image, source), wanted),
          mirroredRegion(reduceImage(image, reduction), x, y, w, h),
        );
      },
    ),
  );
});

test("needs no more than the region's own pixels well inside the image", () => {
  const region = { x: 10, y: 20, width: 5, height: 6 };
  assert.deepEqual(neededSource({ region, reduction: 4, width: 1000, height: 1000 }), {
    x: 40,
    y: 80,
    width: 20,
    height: 24,
  });
});

test("refuses a part that is not the one needed", () => {
  const wanted = { region: { x: 0, y: 0, width: 4, height: 4 }, reduction: 2, width: 20, height: 20 };
  assert.throws(() => mirroredLevelRegion(randomImage(9, 8, 1), wanted), RangeError);
});
