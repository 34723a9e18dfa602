import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import {
  blockGrid,
  blockSide,
  checkReductions,
  checkTile,
  defaultTile,
  evenGrid,
  lcm,
  rectAtLevel,
  tileGrid,
} from "./blocks.ts";
import { levelSize } from "./levels.ts";

const refusal =
  (reason: string, ...parts: string[]) =>
  (thrown: unknown) =>
    thrown instanceof DomainError && thrown.reason === reason && parts.every((part) => thrown.message.includes(part));

test("a block is the smallest multiple of the reductions' lcm of at least 500 pixels", () => {
  assert.equal(lcm([1, 2, 4, 10]), 20);
  assert.equal(blockSide([1, 2, 4, 10]), 500);
  assert.equal(blockSide([1]), 500);
  assert.equal(blockSide([1, 3]), 501);
  assert.equal(blockSide([1, 2, 4, 8, 16]), 512);
  assert.equal(blockSide([1, 2000]), 2000);
  assert.equal(defaultTile([1, 2, 4, 10]), 2000);
  assert.equal(defaultTile([1, 1999]), 1999);
  assert.equal(defaultTile([1, 3]), 2004);
});

test("accepts ascending integers from 1 up to an lcm of 2000", () => {
  for (const reductions of [[1], [1, 2, 4, 10], [1, 2000], [1, 16, 125]]) checkReductions(reductions);
});

test("refuses reductions that are not ascending integers from 1, or have too large an lcm", () => {
  const bad = [[], [2, 4], [1, 4, 2], [1, 2, 2], [1, 2.5], [1, Number.NaN], [1, 2001], [1, 7, 11, 31], [0, 1], [1, -2]];
  for (const reductions of bad) {
    assert.throws(() => checkReductions(reductions), refusal("REDUCTIONS_INVALID", reductions.join(", ")));
  }
});

test("refuses a tile that is not a whole number of blocks and names the two nearest", () => {
  for (const tile of [500, 2000, 10_000]) checkTile(tile, [1, 2, 4, 10]);
  assert.throws(() => checkTile(1990, [1, 2, 4, 10]), refusal("TILE_INVALID", '"1990"', "1500", "2000"));
  assert.throws(() => checkTile(300, [1, 2, 4, 10]), refusal("TILE_INVALID", "500", "1000"));
  assert.throws(() => checkTile(500.5, [1, 2, 4, 10]), refusal("TILE_INVALID", "500", "1000"));
  for (const tile of [0, -500, Number.NaN]) assert.throws(() => checkTile(tile, [1]), refusal("TILE_INVALID", "500"));
});

const reductionSets = fc.constantFrom([1, 2, 4, 10], [1, 3, 7], [1, 2, 3, 5], [1, 16]);
const side = fc.integer({ min: 1, max: 3000 });

test("tiles, and blocks in tiles, part the image at every level", () => {
  fc.assert(
    fc.property(side, side, reductionSets, fc.integer({ min: 1, max: 3 }), (width, height, reductions, blocks) => {
      const tiles = tileGrid(width, height, blocks * blockSide(reductions));
      const parts = tiles.flatMap((tile) => blockGrid(tile, blockSide(reductions)));
      const key = ({ x, y }: { x: number; y: number }) => `${y}/${x}`;
      const whole = blockGrid({ x: 0, y: 0, width, height }, blockSide(reductions));
      assert.deepEqual(new Set(parts.map(key)), new Set(whole.map(key)));
      for (const n of reductions) {
        for (const rects of [tiles, parts])
          partsPlane(
            rects.map((rect) => rectAtLevel(rect, n)),
            levelSize(width, n),
            levelSize(height, n),
          );
      }
    }),
    { numRuns: 60 },
  );
});

/** Every column and row edge of a rectangle is met by its neighbours, and the areas add up. */
const partsPlane = (
  rects: { x: number; y: number; width: number; height: number }[],
  width: number,
  height: number,
) => {
  const starts = new Set(rects.map(({ x, y }) => `${x}/${y}`));
  let area = 0;
  for (const { x, y, width: w, height: h } of rects) {
    area += w * h;
    assert.ok(w > 0 && h > 0);
    assert.ok(x + w === width || starts.has(`${x + w}/${y}`));
    assert.ok(y + h === height || starts.has(`${x}/${y + h}`));
  }
  assert.equal(area, width * height);
  assert.equal(starts.size, rects.length);
};

test("refuses areas off the grid", () => {
  assert.throws(() => blockGrid({ x: 10, y: 0, width: 500, height: 500 }, 500), RangeError);
  assert.throws(() => rectAtLevel({ x: 3, y: 0, width: 4, height: 4 }, 2), RangeError);
});

test("an even grid covers an area once, in cells that differ by a pixel and keep within the side", () => {
  const side = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(fc.nat(9), fc.nat(9), side, side, fc.integer({ min: 1, max: 17 }), (x, y, width, height, most) => {
      const covered = new Uint8Array(width * height);
      const cells = evenGrid({ x, y, width, height }, most);
      for (const cell of cells) {
        assert.ok(cell.width <= most && cell.height <= most);
        for (let row = cell.y - y; row < cell.y - y + cell.height; row++) {
          for (let column = cell.x - x; column < cell.x - x + cell.width; column++) covered[row * width + column]!++;
        }
      }
      assert.ok(covered.every((times) => times === 1));
      for (const length of ["width", "height"] as const) {
        const lengths = cells.map((cell) => cell[length]);
        assert.ok(Math.max(...lengths) - Math.min(...lengths) <= 1);
      }
      assert.equal(cells.length, Math.ceil(width / most) * Math.ceil(height / most));
    }),
  );
});
