/** @file METHOD.md 6: thresholds from validation images: the published search, the trade-off, the chosen point. */
import { invalid } from "../errors.ts";
import type { CascadeThresholds } from "./cascade.ts";
import {
  type Coordinate,
  coordinatesOf,
  createEvaluator,
  createScorer,
  type Evaluator,
  type ScoreAll,
  type ScoreSettings,
  scoreInTurn,
  thresholdAt,
  type ValidationImage,
  withThreshold,
} from "./evaluator.ts";
import { type Centring, createCentring } from "./gaps.ts";
import { createRandom } from "./random.ts";
import { searchAtPrice, searchAtRandom, searchGreedily } from "./search.ts";
import { choosePoint, frontOf, type TradeoffPoint, thinFront, type Wish } from "./tradeoff.ts";

/** Returns prices of compute, score given up for a compute fraction of 1: from .002 to 2, evenly in their logarithm. */
const spreadPrices = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => 0.002 * 1000 ** (i / Math.max(1, count - 1)));

/** How much of P1 a threshold's value holds besides P2; at level 1, where the cascade ends by P2 alone, it is none. */
const MIXED_SHARE = { upper: 0, final: 0.5, lower: 1 } as const;

/** What tuning is a function of. */
export interface TuningSettings extends ScoreSettings {
  /** Levels whose upper threshold must be none. */
  readonly withoutUpper: readonly number[];
  /** Prices of compute that the trade-off is searched under (METHOD.md asks for 20). */
  readonly prices: number;
  /** Random points over all end levels (METHOD.md asks for 2,000). */
  readonly randomPoints: number;
  readonly seed: number | string;
  readonly wish?: Wish | undefined;
}

/** How far tuning is. A step is one threshold of a greedy search, one price, an end level's random points, or its move into gaps. */
export interface TuningProgress {
  readonly doneSteps: number;
  readonly totalSteps: number;
}

/** What tuning found; every threshold lies in a gap between the values seen. */
export interface Tuning {
  /** For ending at each level, index = level - 1: the least compute whose score is within 0.01 of the best; at level 1 what was wished. */
  readonly chosen: readonly TradeoffPoint[];
  /** The published greedy search, for ending at each level, index = level - 1. */
  readonly greedy: readonly TradeoffPoint[];
  /** The best threshold where level 1 alone is evaluated, everywhere. */
  readonly dense: TradeoffPoint;
  /** The front, by end level, then by compute fraction. */
  readonly tradeoff: readonly TradeoffPoint[];
}

/** Who scores, where that is not the caller's own thread, and who hears how far it is. */
export interface TuningContext {
  readonly scoreAll?: ScoreAll;
  /** Awaited after every set of thresholds, and at the end; what it throws ends the search. */
  readonly onProgress?: (progress: TuningProgress) => void | Promise<void>;
}

/**
 * Returns the thresholds of a cascade, a function of images and settings alone. Throws DomainError NO_NUCLEI where nothing can be graded and
 * WISH_UNREACHABLE where no point fulfils the wish.
 */
export const tuneThresholds = async (
  images: readonly ValidationImage[],
  settings: TuningSettings,
  { scoreAll = scoreInTurn(createScorer(images, settings)), onProgress = () => {} }: TuningContext = {},
): Promise<Tuning> => {
  if (images.every(({ nuclei }) => nuclei.count === 0)) {
    throw invalid(
      "NO_NUCLEI",
      `Cannot tune on ${images.length} images: none has an annotated nucleus of at least 10 pixels`,
    );
  }
  const levels = settings.reductions.map((_, i) => i + 1);
  const searches = levels.map((endsAt) => coordinatesOf(levels.length, endsAt, settings.withoutUpper));
  const progress = { doneSteps: 0, totalSteps: searches.flat().length + levels.length * (settings.prices + 2) + 1 };
  const step = () => {
    progress.doneSteps++;
  };
  const centre = centringOn(images);
  const tell = () => onProgress({ ...progress });
  const evaluator = createEvaluator(scoreAll, tell);

  const tradeoff: TradeoffPoint[] = [];
  const greedy: TradeoffPoint[] = [];
  const chosen: TradeoffPoint[] = [];
  for (const coordinates of searches) {
    const published = await searchEndLevel(evaluator, coordinates, settings, step);
    greedy.push(...(await evaluateCentred(evaluator, [published], coordinates, centre)));
    const found = frontOf(evaluator.evaluated(published.endsAt));
    const wish = published.endsAt === 1 ? settings.wish : undefined;
    const kept = [...new Set([...thinFront(found), choosePoint(found, wish)])];
    const moved = await evaluateCentred(evaluator, kept, coordinates, centre);
    const front = frontOf([...moved, ...greedy.slice(-1)]);
    chosen.push(choosePoint(front, wish));
    tradeoff.push(...front);
    step();
  }

  const dense = await searchDense(evaluator, searches[0]!.slice(0, 1), settings, centre);
  step();
  await tell();
  return { chosen, greedy, dense, tradeoff };
};

/** With all coarser levels open, level 1 decides every pixel, as it does alone: only what they compute is not counted then. */
const searchDense = async (
  evaluator: Evaluator,
  finest: readonly Coordinate[],
  { reductions }: TuningSettings,
  centre: CoordinateCentring,
): Promise<TradeoffPoint> => {
  const best = await searchGreedily(evaluator, openAbove(reductions, 1), finest, () => {});
  const [centred] = await evaluateCentred(evaluator, [best], finest, centre);
  return { ...centred!, thresholds: centred!.thresholds.slice(0, 1), computeFraction: 1 };
};

/** Thresholds by which all levels coarser than the one that the cascade ends at pass everything on. */
const openAbove = (reductions: readonly number[], endsAt: number): CascadeThresholds =>
  reductions.map((_, i) => (i + 1 > endsAt ? { lower: 0 } : {}));

/** Evaluates many points that end at a level and returns the published search's. */
const searchEndLevel = async (
  evaluator: Evaluator,
  coordinates: readonly Coordinate[],
  { reductions, prices, randomPoints, seed }: TuningSettings,
  step: () => void,
): Promise<TradeoffPoint> => {
  const endsAt = coordinates[0]!.level;
  const open = openAbove(reductions, endsAt);
  const greedy = await searchGreedily(evaluator, open, coordinates, step);
  for (const price of spreadPrices(prices)) {
    await searchAtPrice(evaluator, coordinates, price);
    step();
  }
  const random = createRandom("tuning", seed, endsAt);
  await searchAtRandom(evaluator, open, coordinates, random, Math.floor(randomPoints / reductions.length));
  step();
  return greedy;
};

/** Moves a threshold into a gap between the values that it is compared with. */
type CoordinateCentring = (value: number | undefined, coordinate: Coordinate) => number | undefined;

const evaluateCentred = (
  evaluator: Evaluator,
  points: readonly TradeoffPoint[],
  coordinates: readonly Coordinate[],
  centre: CoordinateCentring,
): Promise<readonly TradeoffPoint[]> =>
  evaluator.evaluate(
    points.map(({ thresholds }) =>
      coordinates.reduce<CascadeThresholds>(
        (old, coordinate) => withThreshold(old, coordinate, centre(thresholdAt(old, coordinate), coordinate)),
        thresholds,
      ),
    ),
    coordinates[0]!.level,
  );

const centringOn = (images: readonly ValidationImage[]): CoordinateCentring => {
  const known = new Map<string, Centring>();
  return (value, { level, name }) => {
    if (value === undefined) return undefined;
    const mixedShare = MIXED_SHARE[level === 1 ? "upper" : name];
    const key = `${level}/${mixedShare}`;
    const centre = known.get(key) ?? createCentring({ maps: images.map(({ maps }) => maps[level - 1]!), mixedShare });
    known.set(key, centre);
    return centre(value);
  };
};
