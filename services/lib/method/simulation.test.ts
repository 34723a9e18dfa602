import assert from "node:assert/strict";
import { test } from "node:test";
import { type CascadeThresholds, decideLevel, expandState, openState } from "./cascade.ts";
import { cleanRuns, DEFAULT_CLEANING, scaleCleaning } from "./cleaning.ts";
import { findRuns, planeOf } from "./components.ts";
import { enlargeMask } from "./enlarged-mask.fixture.ts";
import { levelSize } from "./levels.ts";
import { makeMappedImage } from "./mapped-image.fixture.ts";
import { parentTables } from "./parents.ts";
import { simulate } from "./simulation.ts";

const REDUCTIONS = [1, 2, 4];
const UNCLEANED = { maxHolePx: 0, openingPx: 0, neckPx: 0, minNucleusPx: 0 };
const THRESHOLDS: CascadeThresholds = [
  { lower: 0.5 },
  { lower: 0.2, upper: 0.9, final: 0.5 },
  { lower: 0.1, upper: 0.95, final: 0.4 },
];

test("where the cascade ends at a coarser level, that level's pixels are cleaned, as the runtime cleans a slide's own", () => {
  const [width, height] = [183, 150];
  const image = makeMappedImage(width, height, REDUCTIONS, 3);
  for (const [i, n] of REDUCTIONS.entries()) {
    const endsAt = i + 1;
    const decided = simulate(image, REDUCTIONS, THRESHOLDS, endsAt, UNCLEANED).mask;
    const [columns, rows] = [levelSize(width, n), levelSize(height, n)];
    const own = Uint8Array.from(
      { length: columns * rows },
      (_, at) => decided[Math.floor(at / columns) * n * width + (at % columns) * n]!,
    );
    const runs = cleanRuns(findRuns(own, columns, rows), columns, scaleCleaning(DEFAULT_CLEANING, n));
    const cleaned = planeOf(runs, own.length);
    const expected = enlargeMask(cleaned, width, height, n);
    assert.deepEqual(
      simulate(image, REDUCTIONS, THRESHOLDS, endsAt, DEFAULT_CLEANING).mask,
      expected,
      `ending at ${endsAt}`,
    );
    const [before, after] = [decided, expected].map((mask) => mask.filter((value) => value === 1).length);
    assert.ok(after! > 0 && after! < before!, `${after} of ${before} pixels are left, ending at ${endsAt}`);
  }
});

test("decides as the runtime does, also where a probability is no number", () => {
  const [width, height] = [61, 46];
  const image = makeMappedImage(width, height, REDUCTIONS, 5);
  for (const map of image.maps) for (let i = 0; i < map.length; i += 7) map[i] = Number.NaN;
  for (const endsAt of [1, 2, 3]) {
    let state = openState(levelSize(width, 4), levelSize(height, 4));
    for (let level = REDUCTIONS.length; level >= endsAt; level--) {
      const rule = { level, endsAt, thresholds: THRESHOLDS[level - 1]! };
      if (level < REDUCTIONS.length) {
        const [finer, coarser] = [REDUCTIONS[level - 1]!, REDUCTIONS[level]!];
        state = expandState(state, parentTables({ x: 0, y: 0, width, height }, width, height, finer, coarser));
      }
      state = decideLevel(state, image.maps[level - 1]!, rule).state;
    }
    const expected = enlargeMask(state.positive, width, height, REDUCTIONS[endsAt - 1]!);
    const { mask } = simulate(image, REDUCTIONS, THRESHOLDS, endsAt, UNCLEANED);
    assert.deepEqual(mask, expected, `ending at ${endsAt}`);
    assert.ok(mask.includes(1) && mask.includes(0));
  }
});
