import assert from "node:assert/strict";
import { test } from "node:test";
import { createScorer } from "../lib/method/evaluator.ts";
import { findNuclei } from "../lib/method/nuclei.ts";
import { type TuningSettings, tuneThresholds } from "../lib/method/thresholds.ts";
import { openScorers, sharedFloats, sharedNuclei } from "./scorers.ts";

const SIDE = 40;
const settings: TuningSettings = {
  reductions: [1, 2],
  annotation: "complete",
  maxHolePx: 20,
  openingPx: 1,
  neckPx: 2,
  minNucleusPx: 12,
  withoutUpper: [],
  prices: 3,
  randomPoints: 40,
  seed: 1,
};

/** A square nucleus, and maps that fade towards its border. */
const image = (left: number) => {
  const inside = (x: number, y: number): boolean => x >= left && x < left + 14 && y >= 12 && y < 26;
  const labels = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => Number(inside(i % SIDE, Math.floor(i / SIDE))));
  const maps = settings.reductions.map((n) => {
    const side = SIDE / n;
    const map = new Float32Array(3 * side * side);
    for (let i = 0; i < side * side; i++) {
      const distance = Math.hypot(n * (i % side) - left - 7, n * Math.floor(i / side) - 19);
      map[i] = 1 - Math.exp(-((distance / 9) ** 2));
      map[2 * side * side + i] = 1 - map[i]!;
    }
    return sharedFloats(map);
  });
  return { width: SIDE, height: SIDE, maps, nuclei: sharedNuclei(findNuclei(labels, SIDE, SIDE, "binary")) };
};
const images = [image(5), image(20)];
const sets = Array.from({ length: 9 }, (_, i) => [{ lower: i / 9 }, { lower: 0.1, upper: 0.8 }]);

test("tuning by threads, one or three, is tuning in turn", async () => {
  const inTurn = await tuneThresholds(images, settings);
  for (const threads of [1, 3]) {
    const scorers = openScorers({ images, settings }, threads);
    try {
      assert.deepEqual(await tuneThresholds(images, settings, scorers), inTurn);
    } finally {
      await scorers.stop();
    }
  }
});

test("scores come in the order of the sets, and each is told", async () => {
  const scorers = openScorers({ images, settings }, 3);
  let told = 0;
  const scores = await scorers.scoreAll(sets, 1, () => void told++);
  await scorers.stop();
  const score = createScorer(images, settings);
  assert.deepEqual(
    scores,
    sets.map((thresholds) => score(thresholds, 1)),
  );
  assert.equal(told, sets.length);
});

test("who is told may end it", async () => {
  const scorers = openScorers({ images, settings }, 2);
  const enough = new Error("enough");
  const stop = (): never => {
    throw enough;
  };
  await assert.rejects(scorers.scoreAll(sets, 1, stop), enough);
  await scorers.stop();
});

test("stopped in the middle, scoring fails by name", async () => {
  const scorers = openScorers({ images, settings }, 2);
  const scoring = scorers.scoreAll(sets, 1, () => {});
  await Promise.all([
    assert.rejects(scoring, { name: "DomainError", kind: "unavailable", reason: "SCORER_DIED" }),
    scorers.stop(),
  ]);
});
