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
    const before = current?.thresholds ?? open;
    const grid = Array.from({ length: GRID }, (_, i) => withThreshold(before, coordinate, i / GRID));
    const points = await evaluator.evaluate(grid, endsAt);
    const tried: readonly TradeoffPoint[] = current === undefined ? points : [current, ...points];
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
      const { thresholds } = current;
      const values = neighbours(thresholdAt(thresholds, coordinate), coordinate);
      const sets = values.map((value) => withThreshold(thresholds, coordinate, value));
      current = (await evaluator.evaluate(sets, endsAt)).reduce(better, current);
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

/** Evaluates so many sets of thresholds drawn uniformly from the grid; an upper is none as often as it has one value. */
export const searchAtRandom = async (
  evaluator: Evaluator,
  open: CascadeThresholds,
  coordinates: readonly Coordinate[],
  random: Random,
  count: number,
): Promise<void> => {
  const draw = (): CascadeThresholds =>
    coordinates.reduce((thresholds, coordinate) => {
      const place = random.int(coordinate.name === "upper" ? GRID + 1 : GRID);
      return withThreshold(thresholds, coordinate, place === GRID ? undefined : place / GRID);
    }, open);
  await evaluator.evaluate(Array.from({ length: count }, draw), coordinates[0]!.level);
};
