import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cleaning, DEFAULT_CLEANING, scaleCleaning } from "./cleaning.ts";

test("sizes scale as what they measure: lengths by the scale, areas by its square", () => {
  assert.deepEqual(scaleCleaning(DEFAULT_CLEANING, 1), DEFAULT_CLEANING);
  const cleaning: Cleaning = { maxHolePx: 150, openingPx: 6, neckPx: 14, minNucleusPx: 60 };
  assert.deepEqual(scaleCleaning(cleaning, 2), { maxHolePx: 37, openingPx: 3, neckPx: 7, minNucleusPx: 15 });
  assert.deepEqual(scaleCleaning(cleaning, 4), { maxHolePx: 9, openingPx: 2, neckPx: 4, minNucleusPx: 4 });
  assert.deepEqual(scaleCleaning(cleaning, 0.5), { maxHolePx: 600, openingPx: 12, neckPx: 28, minNucleusPx: 240 });
});

test("a finer image's lengths stay within what an opening and a neck can reach", () => {
  const { openingPx, neckPx } = scaleCleaning({ maxHolePx: 0, openingPx: 30, neckPx: 50, minNucleusPx: 0 }, 0.5);
  assert.deepEqual([openingPx, neckPx], [50, 50]);
});

test("what is a hole or a speck in level-1 pixels is one in a coarser image's, and what is none is none", () => {
  // n x n blocks of level-1 pixels: of `pixels` of them, area pixels * n * n.
  for (const n of [2, 3, 10]) {
    for (const [pixels, sizePx] of [
      [3, 3 * n * n],
      [3, 3 * n * n - 1],
      [3, 4 * n * n - 1],
    ] as const) {
      const { maxHolePx, minNucleusPx } = scaleCleaning(
        { ...DEFAULT_CLEANING, maxHolePx: sizePx, minNucleusPx: sizePx },
        n,
      );
      assert.equal(pixels <= maxHolePx, pixels * n * n <= sizePx, `hole, ${n}, ${sizePx}`);
      assert.equal(pixels < minNucleusPx, pixels * n * n < sizePx, `speck, ${n}, ${sizePx}`);
    }
  }
});
