import assert from "node:assert/strict";
import { test } from "node:test";
import type { CascadeThresholds } from "./cascade.ts";
import { coordinatesOf, createEvaluator, createScorer, scoreInTurn } from "./evaluator.ts";
import { gradeImage, poolGrades } from "./grading.ts";
import { makeMappedImage } from "./mapped-image.fixture.ts";
import { searchGreedily } from "./search.ts";
import { simulate } from "./simulation.ts";

const REDUCTIONS = [1, 2, 4];
const image = makeMappedImage(60, 50, REDUCTIONS, 3);
const settings = {
  reductions: REDUCTIONS,
  annotation: "complete",
  maxHolePx: 20,
  openingPx: 1,
  neckPx: 2,
  minNucleusPx: 12,
} as const;
/** In the order of METHOD.md 6; where the cascade ends at a coarser level, that level's final stands for level 1's lower. */
const ORDERS = [
  [
    [1, "lower"],
    [2, "upper"],
    [2, "lower"],
    [3, "upper"],
    [3, "lower"],
  ],
  [
    [2, "final"],
    [3, "upper"],
    [3, "lower"],
  ],
  [[3, "final"]],
] as const;

for (const [i, order] of ORDERS.entries()) {
  const endsAt = i + 1;
  test(`the published search is METHOD.md's, replayed value by value, ending at level ${endsAt}`, async () => {
    const open: CascadeThresholds = REDUCTIONS.map((_, k) => (k + 1 > endsAt ? { lower: 0 } : {}));
    const evaluator = createEvaluator(scoreInTurn(createScorer([image], settings)));
    const found = await searchGreedily(evaluator, open, coordinatesOf(REDUCTIONS.length, endsAt, []), () => {});

    const tryOut = (thresholds: CascadeThresholds) => {
      const { mask, computeFraction } = simulate(image, REDUCTIONS, thresholds, endsAt, settings);
      const { f, dice } = poolGrades([gradeImage(mask, image.nuclei)]);
      return { thresholds, score: (f + dice) / 2, computeFraction };
    };
    let current = open;
    let bestScore = 0;
    for (const [level, name] of order) {
      const grid = Array.from({ length: 64 }, (_, k) => {
        const own = level === 1 ? { lower: k / 64, final: k / 64 } : { ...current[level - 1], [name]: k / 64 };
        return tryOut(current.with(level - 1, own));
      });
      // an upper may also stay none
      const tried = name === "upper" ? [tryOut(current), ...grid] : grid;
      bestScore = Math.max(bestScore, ...tried.map(({ score }) => score));
      if (name === "lower" && level > 1) {
        current = tried.findLast(({ score }) => score >= bestScore - 0.005)!.thresholds;
        continue;
      }
      const best = Math.max(...tried.map(({ score }) => score));
      const [cheapest] = tried
        .filter(({ score }) => score === best)
        .sort((a, b) => a.computeFraction - b.computeFraction);
      current = cheapest!.thresholds;
    }
    assert.deepEqual(found.thresholds, current);
    const lowers = current.slice(endsAt).map(({ lower }) => lower!);
    assert.ok(
      lowers.every((lower) => lower > 0),
      JSON.stringify(current),
    );
  });
}
