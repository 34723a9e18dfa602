import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RgbImage } from "./image.ts";
import { levelSize, reduceImage, reduceImages } from "./levels.ts";
import { createRandom } from "./random.ts";
import { reduceMask } from "./reduced-mask.fixture.ts";

const randomImage = (width: number, height: number, seed: number): RgbImage => {
  const random = createRandom("image", seed);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)) };
};

/** Mean of the block of a level pixel, pixel by pixel. */
const blockMean = (width: number, height: number, n: number, x: number, y: number, value: (i: number) => number) => {
  let sum = 0;
  let count = 0;
  for (let j = y * n; j < Math.min((y + 1) * n, height); j++) {
    for (let i = x * n; i < Math.min((x + 1) * n, width); i++) {
      sum += value(j * width + i);
      count++;
    }
  }
  return sum / count;
};

const size = fc.integer({ min: 1, max: 40 });
const reduction = fc.integer({ min: 1, max: 13 });

test("reduces to block means rounded half up, partial blocks by what exists", () => {
  fc.assert(
    fc.property(size, size, reduction, fc.integer(), (width, height, n, seed) => {
      const image = randomImage(width, height, seed);
      const level = reduceImage(image, n);
      assert.equal(level.width, Math.ceil(width / n));
      assert.equal(level.height, Math.ceil(height / n));
      for (let y = 0; y < level.height; y++) {
        for (let x = 0; x < level.width; x++) {
          for (let c = 0; c < 3; c++) {
            const mean = blockMean(width, height, n, x, y, (i) => image.data[3 * i + c]!);
            assert.equal(level.data[3 * (y * level.width + x) + c], Math.floor(mean + 0.5));
          }
        }
      }
    }),
  );
});

test("makes several levels as each on its own, whichever shares the sums of a finer one", () => {
  fc.assert(
    fc.property(size, size, fc.uniqueArray(reduction, { minLength: 1, maxLength: 5 }), (width, height, reductions) => {
      const image = randomImage(width, height, width + height);
      const ascending = reductions.toSorted((a, b) => a - b);
      assert.deepEqual(
        reduceImages(image, ascending),
        ascending.map((n) => reduceImage(image, n)),
      );
    }),
  );
});

test("rounds a half up and below a half down", () => {
  const grey = (...values: number[]): RgbImage => ({
    width: values.length,
    height: 1,
    data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
  });
  assert.equal(reduceImage(grey(0, 1), 2).data[0], 1);
  assert.equal(reduceImage(grey(0, 0, 1), 3).data[0], 0);
  assert.equal(reduceImage(grey(255, 255, 255), 3).data[0], 255);
});

test("makes 52 pixels of 512 at reduction 10, the last from two columns", () => {
  assert.equal(levelSize(512, 10), 52);
  const data = new Uint8Array(3 * 512);
  data.fill(100, 3 * 510);
  assert.equal(reduceImage({ width: 512, height: 1, data }, 10).data[3 * 51], 100);
});

test("keeps sums of the largest blocks exact", () => {
  const data = new Uint8Array(3 * 2000 * 2000).fill(255);
  assert.deepEqual([...reduceImage({ width: 2000, height: 2000, data }, 2000).data], [255, 255, 255]);
});

test("reduces a mask to its block means", () => {
  fc.assert(
    fc.property(size, size, reduction, fc.integer(), (width, height, n, seed) => {
      const random = createRandom("mask", seed);
      const mask = Uint8Array.from({ length: width * height }, () => random.int(2));
      const f = reduceMask(mask, width, height, n);
      for (let i = 0; i < f.length; i++) {
        const x = i % levelSize(width, n);
        const y = Math.floor(i / levelSize(width, n));
        assert.equal(f[i], Math.fround(blockMean(width, height, n, x, y, (at) => mask[at]!)));
      }
    }),
  );
});
