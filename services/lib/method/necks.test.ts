import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unpackPlane } from "./bit-plane.fixture.ts";
import { packPlane } from "./bit-plane.ts";
import { componentsOf, findComponents, findRuns, planeOf } from "./components.ts";
import { cutNecks } from "./necks.ts";
import { anyWithinOctagon } from "./neighbourhood.ts";

const cut = (mask: Uint8Array, width: number, height: number, reach: number): Uint8Array =>
  planeOf(cutNecks(componentsOf(findRuns(mask, width, height), width, 8), width, reach), mask.length);

/** A mask of discs: centre and radius each. */
const discs = (width: number, height: number, list: readonly (readonly [number, number, number])[]): Uint8Array =>
  Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return list.some(([cx, cy, r]) => (x - cx) ** 2 + (y - cy) ** 2 <= r * r) ? 1 : 0;
  });

const count = (mask: Uint8Array, width: number, height: number): number => findComponents(mask, width, height, 8).count;

const sizes = { width: fc.integer({ min: 1, max: 70 }), height: fc.integer({ min: 1, max: 20 }) };

test("looks for set pixels in an octagon, a step to four or to eight neighbours at a time", () => {
  fc.assert(
    fc.property(
      fc.record({ ...sizes, reach: fc.integer({ min: 0, max: 7 }), seed: fc.integer({ min: 2, max: 60 }) }),
      ({ width, height, reach, seed }) => {
        const plane = Uint8Array.from({ length: width * height }, (_, i) => (i % seed === 1 ? 1 : 0));
        const square = Math.floor(reach / 2);
        const diamond = reach - square;
        // the octagon: what a diamond's and a square's steps reach together
        const isNear = (dx: number, dy: number): boolean =>
          Math.max(0, Math.abs(dx) - square) + Math.max(0, Math.abs(dy) - square) <= diamond;
        const expected = plane.map((_, i) => {
          for (let at = 0; at < plane.length; at++) {
            const [dx, dy] = [(at % width) - (i % width), Math.floor(at / width) - Math.floor(i / width)];
            if (plane[at] === 1 && isNear(dx, dy)) return 1;
          }
          return 0;
        });
        assert.deepEqual(unpackPlane(anyWithinOctagon(packPlane(plane, width, height), reach)), expected);
      },
    ),
    { numRuns: 60 },
  );
});

test("cuts two discs that overlap along a line a pixel wide, and leaves what has one core", () => {
  const [width, height] = [50, 30];
  const two = discs(width, height, [
    [14, 14, 10],
    [33, 14, 10],
  ]);
  assert.equal(count(two, width, height), 1);
  const parted = cut(two, width, height, 5);
  assert.equal(count(parted, width, height), 2);
  const lost = two.reduce((sum, value, i) => sum + value - parted[i]!, 0);
  assert.ok(lost >= 8 && lost <= 14, `${lost} pixels cut`);
  assert.deepEqual(cut(two, width, height, 0), two);
  const one = discs(width, height, [
    [14, 14, 10],
    [18, 14, 10],
  ]);
  assert.deepEqual(cut(one, width, height, 5), one);
});

test("leaves a bump whose core is too small, and nuclei at the border whose core lies beyond it", () => {
  const [width, height] = [60, 30];
  const bump = discs(width, height, [
    [14, 14, 10],
    [25, 14, 4],
  ]);
  assert.deepEqual(cut(bump, width, height, 4), bump);
  const atBorder = discs(width, height, [
    [0, 14, 8],
    [15, 14, 8],
  ]);
  assert.equal(count(cut(atBorder, width, height, 4), width, height), 2);
});

test("cuts bodies of many cores, each in its own place", () => {
  const [width, height] = [200, 160];
  const centres = Array.from({ length: 70 }, (_, i) => [10 + 19 * (i % 10), 10 + 19 * Math.floor(i / 10), 10] as const);
  const parted = cut(discs(width, height, centres), width, height, 5);
  assert.equal(count(parted, width, height), 70);
});

test("takes away pixels only where the neighbourhoods of two cores meet", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.integer({ min: 0, max: 69 }), fc.integer({ min: 0, max: 49 }), fc.integer({ min: 2, max: 9 })),
        {
          maxLength: 12,
        },
      ),
      fc.integer({ min: 1, max: 5 }),
      (list, reach) => {
        const [width, height] = [70, 50];
        const mask = discs(width, height, list);
        const parted = cut(mask, width, height, reach);
        const { owners, starts, ends } = findComponents(parted, width, height, 8);
        const ownerAt = new Int32Array(mask.length).fill(-1);
        for (let run = 0; run < starts.length; run++) ownerAt.fill(owners[run]!, starts[run]!, ends[run]!);
        for (let i = 0; i < mask.length; i++) {
          assert.ok(parted[i]! <= mask[i]!, "nothing is added");
          if (mask[i] === 0 || parted[i] === 1) continue;
          const near = new Set<number>();
          for (let dy = -2; dy <= 2; dy++) {
            for (let dx = -2; dx <= 2; dx++) {
              const [x, y] = [(i % width) + dx, Math.floor(i / width) + dy];
              if (x < 0 || y < 0 || x >= width || y >= height) continue;
              if (mask[y * width + x] === 1) near.add(ownerAt[y * width + x]!);
            }
          }
          assert.ok(near.size >= 2, `pixel ${i} was cut far from any meeting`);
        }
        assert.ok(count(parted, width, height) >= count(mask, width, height));
      },
    ),
    { numRuns: 200 },
  );
});
