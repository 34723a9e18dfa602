import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../errors.ts";
import type { CascadeThresholds } from "./cascade.ts";
import { planeOf } from "./components.ts";
import { createEvaluator, createScorer, scoreInTurn, type ValidationImage } from "./evaluator.ts";
import { gradeImage, poolGrades } from "./grading.ts";
import { makeMappedImage } from "./mapped-image.fixture.ts";
import { findNuclei } from "./nuclei.ts";
import { createSimulator, simulate } from "./simulation.ts";
import { type TuningProgress, type TuningSettings, tuneThresholds } from "./thresholds.ts";
import { choosePoint, frontOf, type TradeoffPoint, thinFront } from "./tradeoff.ts";

const REDUCTIONS = [1, 2, 4];
const images = [1, 2].map((seed) => makeMappedImage(90, 75, REDUCTIONS, seed));
const CLEANING = { maxHolePx: 20, openingPx: 1, neckPx: 2, minNucleusPx: 12 };
const settings: TuningSettings = {
  reductions: REDUCTIONS,
  annotation: "complete",
  ...CLEANING,
  withoutUpper: [],
  prices: 20,
  randomPoints: 30,
  seed: 1,
};
const tuning = await tuneThresholds(images, settings);

test("a simulator that keeps what coarser levels decided gives what a fresh one gives", () => {
  const image = images[0]!;
  const simulator = createSimulator(image, REDUCTIONS, CLEANING);
  const sets: readonly CascadeThresholds[] = [
    [{ lower: 0.5 }, { lower: 0.2, upper: 0.9, final: 0.5 }, { lower: 0.1, upper: 0.95, final: 0.4 }],
    [{ lower: 0.6 }, { lower: 0.2, upper: 0.9, final: 0.5 }, { lower: 0.1, upper: 0.95, final: 0.4 }],
    [{ lower: 0.6 }, { lower: 0.2, final: 0.5 }, { lower: 0.1, upper: 0.95, final: 0.4 }],
    [{ lower: 0.6 }, { lower: 0.2, final: 0.6 }, { lower: 2, upper: 0.7, final: 0.5 }],
  ];
  for (const thresholds of [...sets, ...sets]) {
    for (const endsAt of [1, 2, 3, 1]) {
      const { nuclei, ...rest } = simulator.run(thresholds, endsAt);
      const simulated = { mask: planeOf(nuclei, image.width * image.height), ...rest };
      assert.deepEqual(simulated, simulate(image, REDUCTIONS, thresholds, endsAt, CLEANING));
    }
  }
});

test("every point's score and compute are those of the simulated cascade", () => {
  assert.ok(tuning.tradeoff.length > 10);
  for (const point of [...tuning.chosen, ...tuning.greedy, ...tuning.tradeoff]) {
    const runs = images.map((image) => simulate(image, REDUCTIONS, point.thresholds, point.endsAt, CLEANING));
    const { f, dice } = poolGrades(runs.map(({ mask }, i) => gradeImage(mask, images[i]!.nuclei)));
    assert.deepEqual([point.f, point.score], [f, (f + dice) / 2]);
    const fractions = runs.map(({ computeFraction }) => computeFraction);
    // both images are of one size
    assert.ok(Math.abs((fractions[0]! + fractions[1]!) / 2 - point.computeFraction) < 1e-12);
  }
});

test("the score of sparse annotation is grade F alone", () => {
  const point = createScorer(images, { ...settings, annotation: "sparse" })([{ lower: 0.5 }, {}, {}], 1);
  assert.equal(point.score, point.f);
  assert.ok(point.f > 0);
});

test("dense is the best of a grid of 64 at level 1 alone", () => {
  const score = (lower: number) => {
    const grades = images.map((image) => gradeImage(simulate(image, [1], [{ lower }], 1, CLEANING).mask, image.nuclei));
    const { f, dice } = poolGrades(grades);
    return (f + dice) / 2;
  };
  const best = Math.max(...Array.from({ length: 64 }, (_, i) => score(i / 64)));
  const { thresholds, computeFraction } = tuning.dense;
  assert.equal(computeFraction, 1);
  assert.equal(thresholds.length, 1);
  assert.equal(tuning.dense.score, score(thresholds[0]!.lower!));
  assert.ok(Math.abs(tuning.dense.score - best) < 1e-3);
});

test("the fronts rise with compute, the greedy point is not above them, and the chosen is the least within 0.01", () => {
  for (const endsAt of [1, 2, 3]) {
    const front = tuning.tradeoff.filter((point) => point.endsAt === endsAt);
    assert.ok(front.length > 0);
    for (let i = 1; i < front.length; i++) {
      assert.ok(front[i]!.computeFraction > front[i - 1]!.computeFraction && front[i]!.score > front[i - 1]!.score);
    }
    const chosen = tuning.chosen[endsAt - 1]!;
    const best = Math.max(...front.map(({ score }) => score));
    assert.equal(
      chosen,
      front.find(({ score }) => score >= best - 0.01),
    );
    const greedy = tuning.greedy[endsAt - 1]!;
    assert.equal(greedy.endsAt, endsAt);
    assert.ok(front.some((point) => point.score >= greedy.score && point.computeFraction <= greedy.computeFraction));
    if (endsAt === 1) assert.ok(chosen.computeFraction < 1);
  }
});

test("finds a cascade that computes less than everything and scores about as well", () => {
  assert.ok(
    tuning.chosen[0]!.score > tuning.dense.score - 0.02,
    `${tuning.chosen[0]!.score} against ${tuning.dense.score}`,
  );
  assert.ok(tuning.chosen[0]!.computeFraction < 0.7);
});

test("an exhaustive search over two levels on a coarse grid finds nothing that our front lacks", async () => {
  const twoLevels = { ...settings, reductions: REDUCTIONS.slice(0, 2), prices: 20, randomPoints: 2000 };
  const pairs = images.map((image) => ({ ...image, maps: image.maps.slice(0, 2) }));
  const { tradeoff } = await tuneThresholds(pairs, twoLevels);
  const ours = tradeoff.filter(({ endsAt }) => endsAt === 1);
  const evaluator = createEvaluator(scoreInTurn(createScorer(pairs, twoLevels)));
  const grid = Array.from({ length: 8 }, (_, i) => i / 8);
  const sets = grid.flatMap((end) =>
    grid.flatMap((lower) => [...grid, undefined].map((upper) => [{ lower: end }, { lower, upper }])),
  );
  await evaluator.evaluate(sets, 1);
  const front = frontOf(evaluator.evaluated(1));
  assert.ok(front.length > 5);
  // A front is thinned to steps of .002 in score, and its thresholds moved into gaps.
  for (const { score, computeFraction } of front) {
    const beats = ours.some((own) => own.computeFraction <= computeFraction + 0.002 && own.score >= score - 0.002);
    assert.ok(beats, `score ${score} at compute ${computeFraction}`);
  }
});

test("noise of 1e-6 changes no pixel, where values lie on the grid that thresholds are searched on", async () => {
  const onGrid = (value: number): number => Math.round(64 * value) / 64;
  const shifted = (image: ValidationImage, by: number): ValidationImage => ({
    ...image,
    maps: image.maps.map((map) => map.map((value, i) => value + (i % 2 === 0 ? by : -by))),
  });
  const gridded = images.map((image) => ({ ...image, maps: image.maps.map((map) => map.map(onGrid)) }));
  const seen = gridded.map((image) => shifted(image, 1e-7));
  const { chosen, greedy, tradeoff } = await tuneThresholds(seen, { ...settings, prices: 5 });
  for (const { thresholds, endsAt } of [...chosen, ...greedy, ...tradeoff]) {
    for (const image of seen) {
      const [as, is] = [image, shifted(image, 1e-6)].map((mapped) =>
        simulate(mapped, REDUCTIONS, thresholds, endsAt, CLEANING),
      );
      assert.deepEqual(is, as, JSON.stringify(thresholds));
    }
  }
});

test("holds the order of the published search: a lower gives up at most .005, open levels stay open", () => {
  const { thresholds, endsAt } = tuning.greedy[0]!;
  assert.equal(endsAt, 1);
  assert.equal(thresholds[0]!.final, thresholds[0]!.lower);
  assert.equal(thresholds[0]!.upper, undefined);
  const openFrom = (level: number) => thresholds.map((set, i) => (i + 1 >= level ? { lower: 0 } : set));
  const score = (set: CascadeThresholds) => {
    const masks = images.map((image) => gradeImage(simulate(image, REDUCTIONS, set, 1, CLEANING).mask, image.nuclei));
    const { f, dice } = poolGrades(masks);
    return (f + dice) / 2;
  };
  for (const level of [2, 3]) assert.ok(score(openFrom(level + 1)) >= score(openFrom(level)) - 0.0055);
});

test("keeps upper thresholds none where they must be", async () => {
  const { tradeoff, greedy } = await tuneThresholds(images, { ...settings, withoutUpper: [2, 3], randomPoints: 5 });
  for (const { thresholds } of [...greedy, ...tradeoff]) {
    for (const { upper } of thresholds) assert.equal(upper, undefined);
  }
});

test("is a function of images and settings, reports every step, and ends where the caller says so", async () => {
  const last = { doneSteps: 0, totalSteps: 0 };
  const onProgress = (progress: TuningProgress) => {
    assert.ok(progress.doneSteps >= last.doneSteps && progress.doneSteps <= progress.totalSteps);
    Object.assign(last, progress);
  };
  const again = await tuneThresholds(images, settings, { onProgress });
  assert.deepEqual(again, tuning);
  assert.equal(last.doneSteps, last.totalSteps);
  const cancelled = new Error("cancelled");
  let calls = 0;
  const stop = async () => {
    if (++calls === 5) throw cancelled;
  };
  await assert.rejects(tuneThresholds(images, settings, { onProgress: stop }), cancelled);
  assert.equal(calls, 5);
});

test("refuses images without nuclei", async () => {
  const blank: ValidationImage = { ...images[0]!, nuclei: findNuclei(new Uint8Array(90 * 75), 90, 75, "binary") };
  const isRefused = (thrown: unknown) => thrown instanceof DomainError && thrown.reason === "NO_NUCLEI";
  await assert.rejects(tuneThresholds([blank], settings), isRefused);
});

const point = (computeFraction: number, score: number): TradeoffPoint => ({
  endsAt: 1,
  thresholds: [],
  computeFraction,
  score,
  f: score,
});

test("a front leaves out what costs as much and scores no more", () => {
  const front = frontOf([point(0.3, 0.7), point(0.1, 0.5), point(0.2, 0.5), point(0.3, 0.6), point(0.9, 0.65)]);
  assert.deepEqual(front, [point(0.1, 0.5), point(0.3, 0.7)]);
  const fine = [point(0.1, 0.5), point(0.11, 0.501), point(0.12, 0.503), point(0.13, 0.5035)];
  assert.deepEqual(thinFront(fine), [fine[0], fine[2], fine[3]]);
});

test("chooses within 0.01 of the best, under a budget, over a floor, or says what is in reach", () => {
  const front = [point(0.1, 0.5), point(0.2, 0.695), point(0.4, 0.7)];
  assert.equal(choosePoint(front), front[1]);
  assert.equal(choosePoint(front, { maxComputeFraction: 0.15 }), front[0]);
  assert.equal(choosePoint(front, { minScore: 0.6 }), front[1]);
  const isRefused = (part: string) => (thrown: unknown) =>
    thrown instanceof DomainError && thrown.reason === "WISH_UNREACHABLE" && thrown.message.includes(part);
  assert.throws(() => choosePoint(front, { maxComputeFraction: 0.05 }), isRefused("0.1"));
  assert.throws(() => choosePoint(front, { minScore: 0.8 }), isRefused("0.7"));
});
