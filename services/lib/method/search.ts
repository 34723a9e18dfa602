/** @file METHOD.md 6: the published greedy search, and coordinate passes under a price of compute. */
import type { CascadeThresholds } from "./cascade.ts";
import { type Coordinate, type Evaluator, thresholdAt, withThreshold } from "./evaluator.ts";
import type { Random } from "./random.ts";
import { isBetter, type TradeoffPoint } from "./tradeoff.ts";

/** Values tried of every threshold: 0, 1/64, … 63/64. */
const GRID = 64;
/** A lower threshold may cost this much of the best score so far. */
const LOWER_WITHIN = 0.005;
/** Steps on the grid that a coordinate pass tries, both ways. */
const STEPS = [1, 3, 9];
/** Coordinate passes per price, fewer once one changes nothing. */
const MAX_PASSES = 2;

/**
 * Returns the point of the published search: one threshold after the other on a grid of 64, in the order of `coordinates`, the later ones
 * open (lower 0, upper none). What the cascade ends by and the uppers by best score; the lowers as the largest value within .005 of the
 * best so far.
 */
export const searchGreedily = async (
  evaluator: Evaluator,
  open: CascadeThresholds,
  coordinates: readonly Coordinate[],
  onCoordinate: () => void,
): Promise<TradeoffPoint> => {
  const endsAt = coordinates[0]!.level;
  let current: TradeoffPoint | undefined;
  let bestScore = 0;
  for (const coordinate of coordinates) {
    const tried: TradeoffPoint[] = current === undefined ? [] : [current];
    for (let i = 0; i < GRID; i++) {
      const thresholds = withThreshold(current?.thresholds ?? open, coordinate, i / GRID);
      tried.push(await evaluator.evaluate(thresholds, endsAt));
    }
    const best = tried.reduce((a, b) => (isBetter(b, a) ? b : a));
    bestScore = Math.max(bestScore, best.score);
    const isLower = coordinate.name === "lower" && coordinate.level !== endsAt;
    current = isLower ? tried.findLast(({ score }) => score >= bestScore - LOWER_WITHIN)! : best;
    onCoordinate();
  }
  return current!;
};

/**
 * Searches around the best known point for a price: maximises score - price * compute fraction, one threshold at a time. What it finds
 * is in `evaluator.evaluated`.
 */
export const searchAtPrice = async (
  evaluator: Evaluator,
  coordinates: readonly Coordinate[],
  price: number,
): Promise<void> => {
  const worth = ({ score, computeFraction }: TradeoffPoint) => score - price * computeFraction;
  const better = (a: TradeoffPoint, b: TradeoffPoint) => (worth(b) > worth(a) ? b : a);
  const endsAt = coordinates[0]!.level;
  let current = [...evaluator.evaluated(endsAt)].reduce(better);
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const before = current;
    for (const coordinate of coordinates) {
      for (const value of neighbours(thresholdAt(current.thresholds, coordinate), coordinate)) {
        current = better(
          current,
          await evaluator.evaluate(withThreshold(current.thresholds, coordinate, value), endsAt),
        );
      }
    }
    if (current === before) return;
  }
};

const neighbours = (value: number | undefined, { name }: Coordinate): (number | undefined)[] => {
  const place = Math.round((value ?? 1) * GRID);
  const places = STEPS.flatMap((step) => [place - step, place + step]);
  const values: (number | undefined)[] = places.filter((i) => i >= 0 && i < GRID).map((i) => i / GRID);
  return name === "upper" ? [...values, undefined] : values;
};

/** Evaluates thresholds drawn uniformly from the grid; an upper is none as often as it has one value. */
export const searchAtRandom = async (
  evaluator: Evaluator,
  open: CascadeThresholds,
  coordinates: readonly Coordinate[],
  random: Random,
): Promise<void> => {
  let thresholds = open;
  for (const coordinate of coordinates) {
    const place = random.int(coordinate.name === "upper" ? GRID + 1 : GRID);
    thresholds = withThreshold(thresholds, coordinate, place === GRID ? undefined : place / GRID);
  }
  await evaluator.evaluate(thresholds, coordinates[0]!.level);
};
