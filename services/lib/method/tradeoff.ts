/** @file METHOD.md 6: operating points of the cascade, the front of the best of them, and the choice of one. */
import { invalid } from "../errors.ts";
import type { CascadeThresholds } from "./cascade.ts";

/** The chosen point's score is at most this much below the best. */
const CHOSEN_WITHIN = 0.01;

/** Points of a front that differ by less say nothing more. */
const FRONT_STEP = 0.002;

/** One operating point of the cascade on the validation images. */
export interface TradeoffPoint {
  /** The finest level it evaluates. */
  readonly endsAt: number;
  /** Index = level - 1; empty for levels finer than `endsAt`. */
  readonly thresholds: CascadeThresholds;
  /** Computed pixels over all levels and images / pixels of level `endsAt`. */
  readonly computeFraction: number;
  /** Sparse annotation: grade F. Complete: mean of grade F and pixel Dice. */
  readonly score: number;
  readonly f: number;
}

/** Returns true if `a` scores higher than `b`, or as high with less compute. */
export const isBetter = (a: TradeoffPoint, b: TradeoffPoint): boolean =>
  a.score > b.score || (a.score === b.score && a.computeFraction < b.computeFraction);

/** Returns, by compute, the points that no other beats: each scores higher than all with less or as much compute. One end level at a time. */
export const frontOf = (points: Iterable<TradeoffPoint>): TradeoffPoint[] => {
  const sorted = [...points].sort((a, b) => a.computeFraction - b.computeFraction || b.score - a.score);
  const front: TradeoffPoint[] = [];
  for (const point of sorted) if (point.score > (front.at(-1)?.score ?? Number.NEGATIVE_INFINITY)) front.push(point);
  return front;
};

/** Returns a front with fewer points: those that score at least 0.002 more than the one before, and the last. */
export const thinFront = (front: readonly TradeoffPoint[]): TradeoffPoint[] => {
  const kept: TradeoffPoint[] = [];
  for (const point of front) {
    const before = kept.at(-1)?.score ?? Number.NEGATIVE_INFINITY;
    if (point.score >= before + FRONT_STEP || point === front.at(-1)) kept.push(point);
  }
  return kept;
};

/** What a user may ask for instead of the default: a budget or a floor. */
export type Wish = { readonly maxComputeFraction: number } | { readonly minScore: number };

/**
 * Returns the point of a front to run with: the least compute whose score is within 0.01 of the best; under a budget the best score, over
 * a floor the least compute. Throws DomainError WISH_UNREACHABLE where no point fulfils the wish.
 */
export const choosePoint = (front: readonly TradeoffPoint[], wish?: Wish): TradeoffPoint => {
  const best = front.at(-1);
  const cheapest = front[0];
  if (best === undefined || cheapest === undefined) throw new RangeError("Cannot choose a point of an empty front");
  if (wish !== undefined && "maxComputeFraction" in wish) {
    const affordable = front.findLast(({ computeFraction }) => computeFraction <= wish.maxComputeFraction);
    if (affordable !== undefined) return affordable;
    throw invalid(
      "WISH_UNREACHABLE",
      `Cannot stay within a compute fraction of "${wish.maxComputeFraction}": the least that was found is ${cheapest.computeFraction}`,
    );
  }
  const floor = wish?.minScore ?? best.score - CHOSEN_WITHIN;
  const point = front.find(({ score }) => score >= floor);
  if (point !== undefined) return point;
  throw invalid("WISH_UNREACHABLE", `Cannot reach a score of "${floor}": the best that was found is ${best.score}`);
};
