/** @file METHOD.md 6: the score of thresholds on the validation images. */
import type { CascadeThresholds, LevelThresholds } from "./cascade.ts";
import type { Cleaning } from "./cleaning.ts";
import { gradePrediction, poolGrades } from "./grading.ts";
import type { Annotation } from "./image.ts";
import type { Nuclei } from "./nuclei.ts";
import { createSimulator, type MappedImage } from "./simulation.ts";
import type { TradeoffPoint } from "./tradeoff.ts";

/** A validation image: full maps of every level, and what is annotated. */
export interface ValidationImage extends MappedImage {
  readonly nuclei: Nuclei;
}

/** What the score depends on besides thresholds. */
export interface ScoreSettings extends Cleaning {
  readonly reductions: readonly number[];
  readonly annotation: Annotation;
}

/** What thresholds are worth on the validation images; see TradeoffPoint. */
export type Score = Pick<TradeoffPoint, "computeFraction" | "score" | "f">;

/** Returns the score of one set of thresholds for ending at a level. */
export type Scorer = (thresholds: CascadeThresholds, endsAt: number) => Score;

/**
 * Returns the scores of some sets, in their order. `onScored` is awaited after every one, so that the caller can do other work; what it
 * throws ends the scoring.
 */
export type ScoreAll = (
  sets: readonly CascadeThresholds[],
  endsAt: number,
  onScored: () => void | Promise<void>,
) => Promise<readonly Score[]>;

/** Scores thresholds, each set once. */
export interface Evaluator {
  /** Returns the points of some sets, in their order. */
  evaluate(sets: readonly CascadeThresholds[], endsAt: number): Promise<readonly TradeoffPoint[]>;
  /** Everything evaluated so far that ends at a level, in the order in which it was asked for. */
  evaluated(endsAt: number): Iterable<TradeoffPoint>;
}

/** Returns a scorer over validation images. It keeps what coarser levels decided as long as their thresholds stay. */
export const createScorer = (images: readonly ValidationImage[], settings: ScoreSettings): Scorer => {
  const { reductions, annotation } = settings;
  const simulators = images.map((image) => createSimulator(image, reductions, settings));
  return (thresholds, endsAt) => {
    let computed = 0;
    let pixels = 0;
    const grades = images.map(({ nuclei: annotated, maps }, i) => {
      const { nuclei, counts } = simulators[i]!.run(thresholds, endsAt);
      for (const level of counts) computed += level.computed;
      pixels += maps[endsAt - 1]!.length / 3;
      return gradePrediction(nuclei, annotated);
    });
    const { f, dice } = poolGrades(grades);
    return { computeFraction: computed / pixels, score: annotation === "sparse" ? f : (f + dice) / 2, f };
  };
};

/** Scores one set after the other where it is called. */
export const scoreInTurn =
  (scorer: Scorer): ScoreAll =>
  async (sets, endsAt, onScored) => {
    const scores: Score[] = [];
    for (const thresholds of sets) {
      scores.push(scorer(thresholds, endsAt));
      await onScored();
    }
    return scores;
  };

/** Returns an evaluator that scores by `scoreAll`. */
export const createEvaluator = (scoreAll: ScoreAll, onScored: () => void | Promise<void> = () => {}): Evaluator => {
  const known = new Map<number, Map<string, TradeoffPoint>>();
  const pointsOf = (endsAt: number): Map<string, TradeoffPoint> => {
    const points = known.get(endsAt) ?? new Map<string, TradeoffPoint>();
    known.set(endsAt, points);
    return points;
  };
  return {
    evaluate: async (sets, endsAt) => {
      const points = pointsOf(endsAt);
      const unknown = new Map(sets.map((thresholds) => [keyOf(thresholds), thresholds]));
      for (const key of unknown.keys()) if (points.has(key)) unknown.delete(key);
      const scores = await scoreAll([...unknown.values()], endsAt, onScored);
      for (const [i, [key, thresholds]] of [...unknown].entries())
        points.set(key, { endsAt, thresholds, ...scores[i]! });
      return sets.map((thresholds) => points.get(keyOf(thresholds))!);
    },
    evaluated: (endsAt) => pointsOf(endsAt).values(),
  };
};

const keyOf = (thresholds: CascadeThresholds): string =>
  thresholds.map(({ lower, upper, final }) => `${lower},${upper},${final}`).join("/");

/** One threshold of a cascade. */
export interface Coordinate {
  readonly level: number;
  readonly name: keyof LevelThresholds;
}

/** Returns the threshold at a coordinate; undefined is none. */
export const thresholdAt = (thresholds: CascadeThresholds, { level, name }: Coordinate): number | undefined =>
  thresholds[level - 1]?.[name];

/** Returns thresholds with one changed. At level 1 final follows lower. */
export const withThreshold = (
  thresholds: CascadeThresholds,
  { level, name }: Coordinate,
  value: number | undefined,
): CascadeThresholds => {
  const changed = level === 1 && name === "lower" ? { lower: value, final: value } : { [name]: value };
  return thresholds.map((old, i) => (i === level - 1 ? { ...old, ...changed } : old));
};

/**
 * Returns the thresholds that matter for ending at a level, in the order of the published search: what it ends by, then upper and lower
 * of each coarser level; no upper where it must stay none.
 */
export const coordinatesOf = (levels: number, endsAt: number, withoutUpper: readonly number[]): Coordinate[] => {
  const coordinates: Coordinate[] = [{ level: endsAt, name: endsAt === 1 ? "lower" : "final" }];
  for (let level = endsAt + 1; level <= levels; level++) {
    if (!withoutUpper.includes(level)) coordinates.push({ level, name: "upper" });
    coordinates.push({ level, name: "lower" });
  }
  return coordinates;
};
