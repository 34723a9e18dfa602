/** @file Loss weights by frequency (METHOD.md 4). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { classWeights, countClasses, rareClasses } from "./class-weights.ts";

test("labels are counted as the network's classes", () => {
  assert.deepEqual(countClasses([300n, 100n], [0, 2]), [300n, 0n, 100n]);
  assert.deepEqual(countClasses([1n, 2n, 3n], [0, 1, 2]), [1n, 2n, 3n]);
});

test("equal classes weigh 1, rare ones more up to 4, absent ones nothing", () => {
  assert.deepEqual([...classWeights([10n, 10n, 10n])], [1, 1, 1]);
  assert.deepEqual([...classWeights([30n, 0n, 10n])], [Math.fround(40 / 60), 0, 2]);
  assert.deepEqual(
    [...classWeights([1_000n, 1_000n, 1n])],
    [Math.fround(2_001 / 3_000), Math.fround(2_001 / 3_000), 4],
  );
});

test("a class that a level learns with under 50 examples is rare, one that it does not learn is not", () => {
  assert.deepEqual(rareClasses([50n, 0n, 49n], [0, 2]), [2]);
  assert.deepEqual(rareClasses([50n, 0n, 50n], [0, 1, 2]), [1]);
  assert.deepEqual(rareClasses([50n, 50n, 50n], [0, 1, 2]), []);
});
