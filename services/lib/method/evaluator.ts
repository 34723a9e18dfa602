/** @file METHOD.md 6: the score of thresholds on the validation images. */
import type { CascadeThresholds, LevelThresholds } from "./cascade.ts";
import type { Cleaning } from "./cleaning.ts";
import { componentsOf } from "./components.ts";
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

/** Scores thresholds, each set once. */
export interface Evaluator {
  evaluate(thresholds: CascadeThresholds, endsAt: number): Promise<TradeoffPoint>;
  /** Everything evaluated so far that ends at a level. */
  evaluated(endsAt: number): Iterable<TradeoffPoint>;
}

/** Returns an evaluator over validation images. `breathe` is awaited after every image, so that a caller can do other work, or throw. */
export const createEvaluator = (
  images: readonly ValidationImage[],
  settings: ScoreSettings,
  breathe: () => void | Promise<void>,
): Evaluator => {
  const { reductions, annotation } = settings;
  const simulators = images.map((image) => createSimulator(image, reductions, settings));
  const points = new Map<number, Map<string, TradeoffPoint>>(reductions.map((_, i) => [i + 1, new Map()]));

  const evaluate = async (thresholds: CascadeThresholds, endsAt: number): Promise<TradeoffPoint> => {
    const key = thresholds.map(({ lower, upper, final }) => `${lower},${upper},${final}`).join("/");
    const known = points.get(endsAt)?.get(key);
    if (known !== undefined) return known;
    const grades = [];
    let computed = 0;
    let pixels = 0;
    for (const [i, simulator] of simulators.entries()) {
      const { runs, counts } = simulator.run(thresholds, endsAt);
      const { nuclei } = images[i]!;
      grades.push(gradePrediction(componentsOf(runs, nuclei.width, 8), nuclei));
      for (const level of counts) computed += level.computed;
      pixels += images[i]!.maps[endsAt - 1]!.length / 3;
      await breathe();
    }
    const { f, dice } = poolGrades(grades);
    const score = annotation === "sparse" ? f : (f + dice) / 2;
    const point = { endsAt, thresholds, computeFraction: computed / pixels, score, f };
    points.get(endsAt)?.set(key, point);
    return point;
  };
  return { evaluate, evaluated: (endsAt) => points.get(endsAt)?.values() ?? [] };
};

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
