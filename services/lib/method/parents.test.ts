import assert from "node:assert/strict";
import { test } from "node:test";
import { blockGrid, blockSide, checkReductions } from "./blocks.ts";
import { levelSize } from "./levels.ts";
import { composeParents, lowerBound, parentIndex, parentTable, parentTables } from "./parents.ts";
import { createRandom } from "./random.ts";

/** Random reductions that are allowed, as many as asked for. */
const randomReductions = (seed: number, levels: number): number[] => {
  const random = createRandom("reductions", seed);
  for (;;) {
    const drawn = new Set([1, ...Array.from({ length: levels - 1 }, () => 2 + random.int(39))]);
    const reductions = [...drawn].sort((a, b) => a - b);
    try {
      checkReductions(reductions);
      return reductions;
    } catch {
      // their common multiple is too large
    }
  }
};

const checkAxis = (fullPx: number, nFine: number, nCoarse: number): void => {
  const fine = levelSize(fullPx, nFine);
  const coarse = levelSize(fullPx, nCoarse);
  const parents = parentTable(0, fine, nFine, nCoarse, fullPx);
  let before = 0;
  for (let x = 0; x < fine; x++) {
    const parent = parents[x]!;
    // the finer pixel's centre, doubled: (2x + 1) nFine
    const centre = (2 * x + 1) * nFine;
    const holdsCentre = 2 * parent * nCoarse <= centre && centre < 2 * (parent + 1) * nCoarse;
    const isClipped = parent === coarse - 1 && centre >= 2 * coarse * nCoarse;
    if (!(holdsCentre || isClipped) || parent < before || parent >= coarse) {
      assert.fail(`pixel ${x} of ${fullPx} px at ${nFine} has parent ${parent} at ${nCoarse}`);
    }
    before = parent;
  }
};

test("the parent holds the pixel's centre, for every width 1..2000 and the usual reductions", () => {
  for (let width = 1; width <= 2000; width++) {
    checkAxis(width, 1, 2);
    checkAxis(width, 2, 4);
    checkAxis(width, 4, 10);
  }
});

test("the parent holds the pixel's centre, for every width 1..2000 and random reductions", () => {
  for (let width = 1; width <= 2000; width++) {
    const reductions = randomReductions(width, 3);
    for (let k = 1; k < reductions.length; k++) checkAxis(width, reductions[k - 1]!, reductions[k]!);
  }
});

test("a last pixel whose centre lies beyond the coarser plane is clipped to it: widths 9 and 10 modulo 20", () => {
  for (const width of [9, 10, 29, 30, 1989, 1990]) {
    const last = levelSize(width, 4) - 1;
    const coarse = levelSize(width, 10);
    assert.equal(parentIndex(last, 4, 10, coarse), coarse - 1);
    assert.ok(parentIndex(last, 4, 10, Number.POSITIVE_INFINITY) >= coarse);
  }
});

test("the parent's parent differs from the pixel's place two levels up with 4 and 10", () => {
  const fromOne = (x: number) => parentIndex(parentIndex(parentIndex(x, 1, 2, 100), 2, 4, 50), 4, 10, 20);
  assert.equal(parentIndex(8, 1, 10, 20), 0);
  assert.equal(fromOne(8), 1);
});

test("composed tables are the parent's parent", () => {
  const whole = { x: 0, y: 0, width: 129, height: 70 };
  const composed = composeParents(parentTables(whole, 129, 70, 2, 4), parentTables(whole, 129, 70, 4, 10));
  for (let x = 0; x < 65; x++) {
    assert.equal(composed.columns[x], parentIndex(parentIndex(x, 2, 4, 33), 4, 10, 13));
  }
  assert.equal(composed.rows.length, 35);
});

test("every parent of a block's pixel lies in the block", () => {
  for (let seed = 0; seed < 200; seed++) {
    const reductions = randomReductions(seed, 4);
    const random = createRandom("size", seed);
    const width = 1 + random.int(2600);
    const height = 1 + random.int(1400);
    for (const block of blockGrid({ x: 0, y: 0, width, height }, blockSide(reductions))) {
      for (let k = 1; k < reductions.length; k++) {
        const nCoarse = reductions[k]!;
        const { columns, rows } = parentTables(block, width, height, reductions[k - 1]!, nCoarse);
        const coarseWidth = levelSize(block.width, nCoarse);
        const coarseHeight = levelSize(block.height, nCoarse);
        assert.ok(columns.every((x) => x >= 0 && x < coarseWidth));
        assert.ok(rows.every((y) => y >= 0 && y < coarseHeight));
      }
    }
  }
});

test("finds the first place of an ascending list that holds at least a value", () => {
  const list = Int32Array.of(0, 0, 2, 5, 5, 5, 9);
  assert.deepEqual(
    [-1, 0, 1, 2, 5, 6, 9, 10].map((value) => lowerBound(list, value)),
    [0, 0, 2, 2, 3, 6, 6, 7],
  );
  assert.equal(lowerBound(new Int32Array(), 3), 0);
});
