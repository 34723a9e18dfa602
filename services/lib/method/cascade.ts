/**
 * @file METHOD.md 5 and 7, *Cascade*: what is decided at a level and passed down to the next finer one, on whole maps, as tuning simulates it.
 * The runtime decides pixel by pixel as they are computed (`decisions.ts`), by the same `decide`.
 */
import { invalid } from "../errors.ts";
import type { ParentTables } from "./parents.ts";

/** Thresholds of a level; one that is undefined is none. */
export interface LevelThresholds {
  /** Compute the next finer level where P1 + P2 >= lower; none: everywhere. Ending at level 1: positive where P2 >= lower. */
  readonly lower?: number | undefined;
  /** Accept as nucleus where P2 >= upper; none: never. Not used where the cascade ends. */
  readonly upper?: number | undefined;
  /** Ending at this coarser level: positive where P2 + P1/2 >= final. At level 1 it stands for lower where that is none. */
  readonly final?: number | undefined;
}

/** Thresholds of a cascade, index = level - 1. Levels finer than the one it ends at are not looked at. */
export type CascadeThresholds = readonly LevelThresholds[];

/** Decisions so far over a rectangle of pixels of one level, row-major. */
export interface CascadeState {
  readonly width: number;
  readonly height: number;
  /** The level that decided each pixel; 0 = still open, to be computed at this level. */
  readonly level: Uint8Array;
  /** P2 at the deciding level; 0 where open. */
  readonly p2: Float32Array;
  /** 1 where decided as nucleus. */
  readonly positive: Uint8Array;
}

/**
 * Pixels of one level: evaluated there; decided there as nucleus; decided there as not. What is neither goes on to the next level.
 * At the level where the cascade ends every computed pixel is accepted or rejected.
 */
export interface LevelCounts {
  readonly level: number;
  readonly computed: number;
  readonly accepted: number;
  readonly rejected: number;
}

/** Returns the state before the coarsest level: every pixel open. */
export const openState = (width: number, height: number): CascadeState => ({
  width,
  height,
  level: new Uint8Array(width * height),
  p2: new Float32Array(width * height),
  positive: new Uint8Array(width * height),
});

/** Which level decides, by what, and where the cascade ends. */
export interface LevelRule {
  /** From 1, the finest. */
  readonly level: number;
  /** The finest level that is evaluated. */
  readonly endsAt: number;
  readonly thresholds: LevelThresholds;
}

/**
 * Returns the state after a level decided its open pixels, and the counts. `maps` is float32 planar [3, h, w] (P0, P1, P2) over the
 * state's rectangle; values at pixels that are not open are not looked at. Sums of probabilities are formed in double.
 * Throws DomainError THRESHOLDS_INVALID where the cascade ends here without a threshold to end by.
 */
export const decideLevel = (
  state: CascadeState,
  maps: Float32Array,
  rule: LevelRule,
): { readonly state: CascadeState; readonly counts: LevelCounts } => {
  const pixels = state.width * state.height;
  if (maps.length !== 3 * pixels) {
    throw new RangeError(`Cannot decide ${state.width}x${state.height} pixels by maps of ${maps.length} values`);
  }
  const after = { ...state, level: state.level.slice(), p2: state.p2.slice(), positive: state.positive.slice() };
  const own = decisionRule(rule);
  const { level } = rule;
  let computed = 0;
  let accepted = 0;
  let rejected = 0;
  for (let i = 0; i < pixels; i++) {
    if (after.level[i] !== 0) continue;
    computed++;
    const p2 = maps[2 * pixels + i]!;
    const decision = decide(maps[pixels + i]!, p2, own);
    if (decision === OPEN) continue;
    if (decision === ACCEPTED) {
      accepted++;
      after.positive[i] = 1;
    } else {
      rejected++;
    }
    after.level[i] = level;
    after.p2[i] = p2;
  }
  return { state: after, counts: { level, computed, accepted, rejected } };
};

/** What becomes of a pixel at a level: it goes on to the next finer one, is decided as not nucleus, or as nucleus. */
export const OPEN = 0;
export const REJECTED = 1;
export const ACCEPTED = 2;
export type Decision = typeof OPEN | typeof REJECTED | typeof ACCEPTED;

/** How a level decides a pixel, in numbers: a function per pixel would cost more than all that it does. */
export interface DecisionRule {
  /** Accepted where P2 + mixedShare * P1 is at least this. */
  readonly upper: number;
  readonly mixedShare: number;
  /** Otherwise open where P1 + P2 is at least this. */
  readonly lower: number;
}

/**
 * Returns how a level decides. Where the cascade ends every pixel is accepted or rejected. Throws DomainError THRESHOLDS_INVALID where it
 * ends here without a threshold to end by.
 */
export const decisionRule = ({ level, endsAt, thresholds }: LevelRule): DecisionRule => {
  if (level === endsAt) {
    const upper = endThreshold(level, thresholds);
    return { upper, mixedShare: endMixedShare(level), lower: Number.POSITIVE_INFINITY };
  }
  const { upper = Number.POSITIVE_INFINITY, lower = Number.NEGATIVE_INFINITY } = thresholds;
  return { upper, mixedShare: 0, lower };
};

/** Returns what becomes of a pixel. */
export const decide = (p1: number, p2: number, { upper, mixedShare, lower }: DecisionRule): Decision => {
  // Where P1 counts for nothing it is not looked at: no share of what is no number is 0.
  if ((mixedShare === 0 ? p2 : p2 + mixedShare * p1) >= upper) return ACCEPTED;
  return p1 + p2 >= lower ? OPEN : REJECTED;
};

/** How much of P1 counts as nucleus where the cascade ends. */
export const endMixedShare = (level: number): number => (level === 1 ? 0 : 0.5);

/** Returns the threshold that a cascade ending at a level ends by. Throws DomainError THRESHOLDS_INVALID where there is none. */
export const endThreshold = (level: number, { lower, final }: LevelThresholds): number => {
  const end = level === 1 ? (lower ?? final) : final;
  if (end !== undefined) return end;
  throw invalid(
    "THRESHOLDS_INVALID",
    `Cannot end the cascade at level ${level}: its "${level === 1 ? "lower" : "final"}" threshold is missing; tune, or set it`,
  );
};

/**
 * Checks thresholds before a cascade of `levels` levels that ends at one of them. Throws DomainError THRESHOLDS_INVALID where one is
 * missing that is needed, or is not a number.
 */
export const checkThresholds = (thresholds: CascadeThresholds, levels: number, endsAt: number): void => {
  if (thresholds.length < levels) {
    throw invalid(
      "THRESHOLDS_INVALID",
      `Cannot run ${levels} levels with thresholds for ${thresholds.length}; give one set per level`,
    );
  }
  for (const [i, { lower, upper, final }] of thresholds.entries()) {
    for (const [name, value] of Object.entries({ lower, upper, final })) {
      if (value === undefined || Number.isFinite(value)) continue;
      throw invalid(
        "THRESHOLDS_INVALID",
        `Cannot use "${value}" as ${name} threshold of level ${i + 1}: it must be a finite number, or none`,
      );
    }
  }
  endThreshold(endsAt, thresholds[endsAt - 1] ?? {});
};

/** Returns the state at a finer level: every pixel takes its parent's. `tables` comes from `parentTables` over the same rectangle. */
export const expandState = (state: CascadeState, { columns, rows }: ParentTables): CascadeState => {
  const finer = openState(columns.length, rows.length);
  const width = columns.length;
  for (let y = 0; y < rows.length; y++) {
    const start = y * width;
    if (y > 0 && rows[y] === rows[y - 1]) {
      for (const plane of [finer.level, finer.p2, finer.positive]) plane.copyWithin(start, start - width, start);
      continue;
    }
    const parents = rows[y]! * state.width;
    for (let x = 0; x < width; x++) {
      const from = parents + columns[x]!;
      const decided = state.level[from]!;
      if (decided === 0) continue;
      finer.level[start + x] = decided;
      finer.p2[start + x] = state.p2[from]!;
      finer.positive[start + x] = state.positive[from]!;
    }
  }
  return finer;
};

/** Returns the compute fraction of levels that compute every pixel: no cascade of them computes more, but for levels' rounded sizes. */
export const mostCompute = (reductions: readonly number[]): number => {
  const finest = Math.min(...reductions);
  return reductions.reduce((sum, reduction) => sum + (finest / reduction) ** 2, 0);
};

/** Returns the compute fraction of the coarsest level alone, which computes every pixel: no cascade computes less. */
export const leastCompute = (reductions: readonly number[]): number =>
  Math.min(...reductions) ** 2 / Math.max(...reductions) ** 2;

/** Returns the sum of computed pixels over all levels / `finestPixels`, the pixels of the finest level evaluated. */
export const computeFraction = (counts: readonly LevelCounts[], finestPixels: number): number =>
  counts.reduce((sum, { computed }) => sum + computed, 0) / finestPixels;
