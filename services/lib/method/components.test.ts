import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unpackPlane } from "./bit-plane.fixture.ts";
import { packPlane } from "./bit-plane.ts";
import { type Cleaning, cleanRuns, fillEnclosed } from "./cleaning.ts";
import {
  type Connectivity,
  complement,
  componentsOf,
  findComponents,
  findRuns,
  keepLarge,
  labelComponents,
  planeOf,
} from "./components.ts";
import { anyWithin } from "./neighbourhood.ts";

const clean = (mask: Uint8Array, width: number, height: number, cleaning: Cleaning): Uint8Array =>
  planeOf(cleanRuns(findRuns(mask, width, height), width, cleaning), mask.length);

const fillHoles = (mask: Uint8Array, width: number, height: number, maxHolePx: number): Uint8Array =>
  clean(mask, width, height, { maxHolePx, openingPx: 0, neckPx: 0, minNucleusPx: 0 });

/** Flood fill from every pixel in row-major order: label 1, 2, … per component. */
const floodFill = (
  mask: Uint8Array,
  width: number,
  height: number,
  connectivity: Connectivity,
  value: 0 | 1,
): Int32Array => {
  const labels = new Int32Array(mask.length);
  let count = 0;
  for (let start = 0; start < mask.length; start++) {
    if (mask[start] !== value || labels[start] !== 0) continue;
    labels[start] = ++count;
    const stack = [start];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const x = at % width;
      const y = (at - x) / width;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          if (connectivity === 4 && dx !== 0 && dy !== 0) continue;
          if (x + dx < 0 || x + dx >= width || y + dy < 0 || y + dy >= height) continue;
          const next = at + dy * width + dx;
          if (mask[next] !== value || labels[next] !== 0) continue;
          labels[next] = count;
          stack.push(next);
        }
      }
    }
  }
  return labels;
};

const areaOf = (labels: Int32Array, label: number): number => labels.filter((value) => value === label).length;

const masks = fc
  .record({
    width: fc.integer({ min: 1, max: 14 }),
    height: fc.integer({ min: 1, max: 14 }),
    density: fc.integer({ min: 1, max: 9 }),
  })
  .chain(({ width, height, density }) =>
    fc.record({
      width: fc.constant(width),
      height: fc.constant(height),
      mask: fc
        .array(fc.integer({ min: 0, max: 9 }), { minLength: width * height, maxLength: width * height })
        .map((values) => Uint8Array.from(values, (value) => (value < density ? 1 : 0))),
    }),
  );

test("finds the components that flood filling finds, in the same order", () => {
  fc.assert(
    fc.property(
      masks,
      fc.constantFrom<Connectivity>(4, 8),
      fc.constantFrom("set", "unset"),
      ({ mask, width, height }, connectivity, of) => {
        const set = findRuns(mask, width, height);
        const components = componentsOf(of === "set" ? set : complement(set, width), width, connectivity);
        const expected = floodFill(mask, width, height, connectivity, of === "set" ? 1 : 0);
        assert.deepEqual(labelComponents(components, width, height), expected);
        for (let i = 0; i < components.count; i++) assert.equal(components.areas[i], areaOf(expected, i + 1));
      },
    ),
    { numRuns: 400 },
  );
});

const plane = (...rows: string[]) => ({
  width: rows[0]!.length,
  height: rows.length,
  mask: Uint8Array.from(rows.join(""), (char) => (char === "#" ? 1 : 0)),
});

test("joins a spiral into one and keeps corners apart only with 4 neighbours", () => {
  const spiral = plane("#######", "......#", "#####.#", "#...#.#", "#.###.#", "#.....#", "#######");
  assert.equal(findComponents(spiral.mask, 7, 7, 4).count, 1);
  const corner = plane("#.", ".#");
  assert.equal(findComponents(corner.mask, 2, 2, 4).count, 2);
  assert.equal(findComponents(corner.mask, 2, 2, 8).count, 1);
});

test("does not join the end of a row with the start of the next", () => {
  const { mask } = plane("..#", "#..");
  assert.equal(findComponents(mask, 3, 2, 8).count, 2);
});

test("fills every background component of at most so many pixels, to the letter also at the border", () => {
  fc.assert(
    fc.property(masks, fc.integer({ min: 0, max: 12 }), ({ mask, width, height }, maxHolePx) => {
      const background = floodFill(mask, width, height, 4, 0);
      const isHole = (i: number): boolean => mask.includes(1) && areaOf(background, background[i]!) <= maxHolePx;
      const expected = mask.map((value, i) => (value === 1 || isHole(i) ? 1 : 0));
      assert.deepEqual(fillHoles(mask, width, height, maxHolePx), expected);
    }),
    { numRuns: 300 },
  );
});

test("where nothing is a nucleus there is no hole, however small the image", () => {
  for (const [width, height] of [
    [1, 1],
    [10, 15],
    [40, 40],
  ] as const) {
    const none = new Uint8Array(width * height);
    assert.deepEqual(fillHoles(none, width, height, 150), none, `${width}x${height}`);
  }
});

test("fills 150 pixels and leaves 151", () => {
  const square = (hole: number) => {
    const mask = new Uint8Array(40 * 40).fill(1);
    for (let i = 0; i < hole; i++) mask[(2 + Math.floor(i / 30)) * 40 + 2 + (i % 30)] = 0;
    return mask;
  };
  assert.equal(fillHoles(square(150), 40, 40, 150).indexOf(0), -1);
  assert.deepEqual(fillHoles(square(151), 40, 40, 150), square(151));
});

test("fills what does not reach the border, whatever its size", () => {
  fc.assert(
    fc.property(masks, ({ mask, width, height }) => {
      const background = floodFill(mask, width, height, 4, 0);
      const open = new Set<number>();
      for (let i = 0; i < mask.length; i++) {
        const x = i % width;
        const y = (i - x) / width;
        if (x === 0 || y === 0 || x === width - 1 || y === height - 1) open.add(background[i]!);
      }
      const expected = mask.map((value, i) => (value === 1 || !open.has(background[i]!) ? 1 : 0));
      assert.deepEqual(planeOf(fillEnclosed(findRuns(mask, width, height), width), mask.length), expected);
    }),
    { numRuns: 300 },
  );
});

const dropSmall = (mask: Uint8Array, width: number, height: number, minPx: number): Uint8Array =>
  planeOf(keepLarge(findComponents(mask, width, height, 8), minPx), mask.length);

test("drops components of fewer pixels than asked", () => {
  fc.assert(
    fc.property(masks, fc.integer({ min: 1, max: 8 }), ({ mask, width, height }, minPx) => {
      const labels = floodFill(mask, width, height, 8, 1);
      const expected = mask.map((value, i) => (value === 1 && areaOf(labels, labels[i]!) >= minPx ? 1 : 0));
      assert.deepEqual(dropSmall(mask, width, height, minPx), expected);
    }),
  );
});

/** The pixels of the image in a square about one of them. */
const squareAround = (x: number, y: number, reach: number, width: number, height: number): number[] => {
  const pixels: number[] = [];
  for (let j = Math.max(0, y - reach); j <= Math.min(height - 1, y + reach); j++) {
    for (let i = Math.max(0, x - reach); i <= Math.min(width - 1, x + reach); i++) pixels.push(j * width + i);
  }
  return pixels;
};

test("cleans by filling holes first, then opening, then dropping what is still too small", () => {
  fc.assert(
    fc.property(
      masks,
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 2 }),
      fc.integer({ min: 0, max: 9 }),
      ({ mask, width, height }, maxHolePx, openingPx, minNucleusPx) => {
        const filled = fillHoles(mask, width, height, maxHolePx);
        const around = (i: number): number[] =>
          squareAround(i % width, Math.floor(i / width), openingPx, width, height);
        const fits = filled.map((_, i) => (around(i).every((at) => filled[at] === 1) ? 1 : 0));
        const opened = fits.map((_, i) => (around(i).some((at) => fits[at] === 1) ? 1 : 0));
        const expected = dropSmall(opened, width, height, minNucleusPx);
        assert.deepEqual(clean(mask, width, height, { maxHolePx, openingPx, neckPx: 0, minNucleusPx }), expected);
      },
    ),
    { numRuns: 300 },
  );
});

test("looks for set pixels in a square that need not be symmetric", () => {
  fc.assert(
    fc.property(
      masks,
      fc.integer({ min: 0, max: 16 }),
      fc.integer({ min: 0, max: 16 }),
      ({ mask, width, height }, before, after) => {
        const expected = mask.map((_, at) => {
          const x = at % width;
          const y = (at - x) / width;
          for (let j = Math.max(0, y - before); j <= Math.min(height - 1, y + after); j++) {
            for (let i = Math.max(0, x - before); i <= Math.min(width - 1, x + after); i++) {
              if (mask[j * width + i] === 1) return 1;
            }
          }
          return 0;
        });
        assert.deepEqual(unpackPlane(anyWithin(packPlane(mask, width, height), before, after)), expected);
      },
    ),
    { numRuns: 300 },
  );
});
