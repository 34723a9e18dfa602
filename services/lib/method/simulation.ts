/** @file METHOD.md 6: the cascade on full probability maps, by the functions that the runtime decides with. */
import {
  type CascadeState,
  type CascadeThresholds,
  computeFraction,
  decideLevel,
  expandState,
  type LevelCounts,
  type LevelThresholds,
  openState,
} from "./cascade.ts";
import { fillHoles } from "./holes.ts";
import { levelSize } from "./levels.ts";
import { composeParents, type ParentTables, parentTables } from "./parents.ts";

/** An image of which every level was computed in full. */
export interface MappedImage {
  /** In level-1 pixels. */
  readonly width: number;
  readonly height: number;
  /** Index = level - 1: float32 planar [3, h, w] (P0, P1, P2) in level pixels. */
  readonly maps: readonly Float32Array[];
}

/** What the cascade gives on an image. */
export interface SimulatedCascade {
  /** 0/1, level-1 pixels, holes filled. */
  readonly mask: Uint8Array;
  /** From the coarsest level to the one it ends at. */
  readonly counts: readonly LevelCounts[];
  readonly computeFraction: number;
}

/** Runs the cascade on one image again and again; what coarser levels decided is kept as long as their thresholds stay. */
export interface Simulator {
  run(thresholds: CascadeThresholds, endsAt: number): SimulatedCascade;
}

/** Returns the cascade of one run; see `createSimulator`. */
export const simulate = (
  image: MappedImage,
  reductions: readonly number[],
  thresholds: CascadeThresholds,
  endsAt: number,
  maxHolePx: number,
): SimulatedCascade => createSimulator(image, reductions, maxHolePx).run(thresholds, endsAt);

/** What a level left to the next finer one, under the thresholds that `key` spells out. */
interface Passed {
  readonly key: string;
  readonly state: CascadeState;
  readonly counts: readonly LevelCounts[];
}

/** Returns a simulator of the cascade on an image: the same decisions, parents and hole filling as in the runtime. */
export const createSimulator = (image: MappedImage, reductions: readonly number[], maxHolePx: number): Simulator => {
  const { width, height, maps } = image;
  const sizes = reductions.map((n) => ({ width: levelSize(width, n), height: levelSize(height, n) }));
  const coarsest = reductions.length;
  const whole = { x: 0, y: 0, width, height };
  // index = level - 1: from that level to the next coarser one
  const toCoarser = reductions.slice(1).map((n, i) => parentTables(whole, width, height, reductions[i]!, n));
  const toEnd = composedTables(toCoarser);
  const passed: (Passed | undefined)[] = [];

  /** The state at `level` before it decides. */
  const stateAt = (level: number, thresholds: CascadeThresholds): Passed => {
    if (level === coarsest) {
      const { width: w, height: h } = sizes[level - 1]!;
      return { key: "", state: openState(w, h), counts: [] };
    }
    const above = level + 1;
    const rule = { level: above, endsAt: level, thresholds: thresholds[above - 1]! };
    const before = stateAt(above, thresholds);
    const key = `${before.key}/${describe(rule.thresholds)}`;
    const kept = passed[level];
    if (kept?.key === key) return kept;
    const { state, counts } = decideLevel(before.state, maps[above - 1]!, rule);
    const next = { key, state: expandState(state, toCoarser[level - 1]!), counts: [...before.counts, counts] };
    passed[level] = next;
    return next;
  };

  const run = (thresholds: CascadeThresholds, endsAt: number): SimulatedCascade => {
    const before = stateAt(endsAt, thresholds);
    const rule = { level: endsAt, endsAt, thresholds: thresholds[endsAt - 1]! };
    const { state, counts } = decideLevel(before.state, maps[endsAt - 1]!, rule);
    const allCounts = [...before.counts, counts];
    const { positive } = endsAt === 1 ? state : expandState(state, toEnd[endsAt - 2]!);
    return {
      mask: fillHoles(positive, width, height, maxHolePx),
      counts: allCounts,
      computeFraction: computeFraction(allCounts, state.width * state.height),
    };
  };
  return { run };
};

const describe = ({ lower, upper }: LevelThresholds): string => `${lower},${upper}`;

/** Index = level - 2: from level 1 straight to that level, by parents of parents. */
const composedTables = (toCoarser: readonly ParentTables[]): readonly ParentTables[] => {
  const composed: ParentTables[] = [];
  for (const tables of toCoarser) {
    const finer = composed.at(-1);
    composed.push(finer === undefined ? tables : composeParents(finer, tables));
  }
  return composed;
};
