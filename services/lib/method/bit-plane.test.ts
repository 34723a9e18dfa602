import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unpackPlane } from "./bit-plane.fixture.ts";
import {
  ascending,
  complement,
  countInRect,
  countSet,
  difference,
  packBelow,
  packPlane,
  paddedWidth,
  selectSet,
} from "./bit-plane.ts";
import { anyInBlocks } from "./neighbourhood.ts";
import { createRandom } from "./random.ts";
import { reduceMask } from "./reduced-mask.fixture.ts";

/** Widths below, at and beyond a word's, and two planes of that size. */
const planes = fc
  .record({
    width: fc.integer({ min: 1, max: 99 }),
    height: fc.integer({ min: 1, max: 12 }),
    seed: fc.nat(),
    density: fc.integer({ min: 1, max: 20 }),
  })
  .map(({ width, height, seed, density }) => {
    const random = createRandom("planes", seed);
    const bytes = () => Uint8Array.from({ length: width * height }, () => (random.int(21) < density ? 1 : 0));
    return { width, height, a: bytes(), b: bytes(), random };
  });

test("says of whole planes what is true of every pixel", () => {
  fc.assert(
    fc.property(planes, ({ width, height, a, b }) => {
      const [planeA, planeB] = [packPlane(a, width, height), packPlane(b, width, height)];
      assert.deepEqual(unpackPlane(planeA), a);
      assert.deepEqual(
        unpackPlane(complement(planeA)),
        a.map((value) => 1 - value),
      );
      assert.equal(countSet(complement(planeA)), width * height - countSet(planeA));
      assert.deepEqual(
        unpackPlane(difference(planeA, planeB)),
        a.map((value, i) => value & (1 - b[i]!)),
      );
      assert.equal(
        countSet(planeA),
        a.reduce((sum, value) => sum + value, 0),
      );
    }),
  );
});

test("finds set pixels by rank", () => {
  fc.assert(
    fc.property(planes, ({ width, height, a, random }) => {
      const pixels = [...a.keys()].filter((i) => a[i] === 1);
      const drawn = random.sampleWithoutReplacement(pixels.length, random.int(pixels.length + 1));
      const ranks = ascending(drawn, pixels.length);
      assert.deepEqual(ranks, drawn.slice().sort());
      const { xs, ys } = selectSet(packPlane(a, width, height), ranks);
      assert.deepEqual(
        [...ranks].map((rank) => pixels[rank]),
        [...xs].map((x, i) => ys[i]! * width + x),
      );
    }),
  );
});

test("counts in rectangles and looks into blocks as pixel by pixel", () => {
  fc.assert(
    fc.property(planes, fc.integer({ min: 1, max: 70 }), ({ width, height, a, random }, n) => {
      const plane = packPlane(a, width, height);
      const [x, y] = [random.int(width), random.int(height)];
      const rect = { x, y, width: 1 + random.int(width - x), height: 1 + random.int(height - y) };
      let count = 0;
      for (let j = y; j < y + rect.height; j++) for (let i = x; i < x + rect.width; i++) count += a[j * width + i]!;
      assert.equal(countInRect(plane, rect), count);
      const means = reduceMask(a, width, height, n);
      assert.deepEqual(
        unpackPlane(anyInBlocks(plane, n)),
        Uint8Array.from(means, (f) => (f > 0 ? 1 : 0)),
      );
    }),
    { numRuns: 300 },
  );
});

test("packs the bytes below any limit", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 0, max: 255 }), fc.nat(), (width, limit, seed) => {
      const random = createRandom("bytes", seed);
      const [height, stride] = [3, paddedWidth(width)];
      const near = (): number =>
        random.int(2) === 0 ? random.int(256) : Math.min(255, Math.max(0, limit - 2 + random.int(5)));
      const bytes = new Uint8Array(stride * height).fill(255);
      for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) bytes[y * stride + x] = near();
      const expected = Uint8Array.from({ length: width * height }, (_, i) =>
        bytes[Math.floor(i / width) * stride + (i % width)]! < limit ? 1 : 0,
      );
      assert.deepEqual(unpackPlane(packBelow(bytes, limit, width, height)), expected);
    }),
    { numRuns: 500 },
  );
});
