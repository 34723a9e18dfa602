/** @file METHOD.md 6: the cascade on full probability maps, by the functions that the runtime decides with. */
import { type BitPlane, emptyPlane } from "./bit-plane.ts";
import { unpackRuns } from "./bit-runs.ts";
import {
  ACCEPTED,
  type CascadeState,
  type CascadeThresholds,
  computeFraction,
  decideLevel,
  endMixedShare,
  endThreshold,
  expandState,
  type LevelCounts,
  type LevelThresholds,
  OPEN,
  openState,
  REJECTED,
} from "./cascade.ts";
import { type Cleaning, cleanRuns, scaleCleaning } from "./cleaning.ts";
import { type Components, componentsOf, findRuns, planeOf, type Runs } from "./components.ts";
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
  /** 8-connected components of the level-1 pixels of nuclei, cleaned at the level that the cascade ends at. */
  readonly nuclei: Components;
  /** From the coarsest level to the one it ends at. */
  readonly counts: readonly LevelCounts[];
  readonly computeFraction: number;
}

/** Runs the cascade on one image again and again; what coarser levels decided is kept as long as their thresholds stay. */
export interface Simulator {
  run(thresholds: CascadeThresholds, endsAt: number): SimulatedCascade;
}

/**
 * Returns the cascade of one run, with its nuclei as a 0/1 mask of level-1 pixels; see `createSimulator`. The reference that checks of
 * exactness hold the distributed cascade and a simulator's later runs against.
 */
export const simulate = (
  image: MappedImage,
  reductions: readonly number[],
  thresholds: CascadeThresholds,
  endsAt: number,
  cleaning: Cleaning,
): Omit<SimulatedCascade, "nuclei"> & { readonly mask: Uint8Array } => {
  const { nuclei, ...rest } = createSimulator(image, reductions, cleaning).run(thresholds, endsAt);
  return { mask: planeOf(nuclei, image.width * image.height), ...rest };
};

/** What levels down to one decided, under the thresholds that `key` spells out. */
interface Decided {
  readonly key: string;
  readonly state: CascadeState;
  readonly counts: readonly LevelCounts[];
}

/** Returns a simulator of the cascade on an image: the same decisions, parents and cleaning as in the runtime. */
export const createSimulator = (image: MappedImage, reductions: readonly number[], cleaning: Cleaning): Simulator => {
  const { width, height, maps } = image;
  const sizes = reductions.map((n) => ({ width: levelSize(width, n), height: levelSize(height, n) }));
  const coarsest = reductions.length;
  const whole = { x: 0, y: 0, width, height };
  // index = level - 1: from that level to the next coarser one
  const toCoarser = reductions.slice(1).map((n, i) => parentTables(whole, width, height, reductions[i]!, n));
  const toEnd = composedTables(toCoarser);
  const cleanings = reductions.map((n) => scaleCleaning(cleaning, n));
  const decided: (Decided | undefined)[] = [];
  const codes: ({ readonly key: string; readonly plane: Uint8Array } | undefined)[] = [];

  /** The state after `level`, which is not the last, decided. */
  const decidedAt = (level: number, thresholds: CascadeThresholds): Decided => {
    const before = level === coarsest ? undefined : decidedAt(level + 1, thresholds);
    const own = thresholds[level - 1]!;
    const key = `${before?.key ?? ""}/${own.lower},${own.upper}`;
    const kept = decided[level];
    if (kept?.key === key) return kept;
    const size = sizes[level - 1]!;
    const state = before ? expandState(before.state, toCoarser[level - 1]!) : openState(size.width, size.height);
    const after = decideLevel(state, maps[level - 1]!, { level, endsAt: level - 1, thresholds: own });
    const next = { key, state: after.state, counts: [...(before?.counts ?? []), after.counts] };
    decided[level] = next;
    return next;
  };

  /** What coarser levels left to the last one, as codes. */
  const codesAt = (endsAt: number, { key, state }: Decided): Uint8Array => {
    const kept = codes[endsAt];
    if (kept?.key === key) return kept.plane;
    const plane = expandCodes(encodeState(state), state.width, toCoarser[endsAt - 1]!);
    codes[endsAt] = { key, plane };
    return plane;
  };

  const run = (thresholds: CascadeThresholds, endsAt: number): SimulatedCascade => {
    const before = endsAt === coarsest ? undefined : decidedAt(endsAt + 1, thresholds);
    const size = sizes[endsAt - 1]!;
    const pixels = size.width * size.height;
    const end = decideEnd(before && codesAt(endsAt, before), maps[endsAt - 1]!, size, endsAt, thresholds[endsAt - 1]!);
    const counts = [...(before?.counts ?? []), end.counts];
    // The runtime cleans an image's own pixels: where the cascade ends at a coarser level, that level's.
    const own = cleanRuns(unpackRuns(end.plane), size.width, cleanings[endsAt - 1]!);
    const nuclei = endsAt === 1 ? own : componentsOf(expandRuns(own, size.width, toEnd[endsAt - 2]!), width, 8);
    return { nuclei, counts, computeFraction: computeFraction(counts, pixels) };
  };
  return { run };
};

/** One byte where the runtime also keeps level and probability. */
const encodeState = ({ level, positive }: CascadeState): Uint8Array => {
  const codes = new Uint8Array(level.length);
  for (let i = 0; i < codes.length; i++) codes[i] = level[i] === 0 ? OPEN : positive[i] === 1 ? ACCEPTED : REJECTED;
  return codes;
};

/** Every pixel takes its parent's byte. */
const expandCodes = (codes: Uint8Array, stride: number, { columns, rows }: ParentTables): Uint8Array => {
  const width = columns.length;
  const finer = new Uint8Array(width * rows.length);
  for (let y = 0; y < rows.length; y++) {
    const start = y * width;
    if (y > 0 && rows[y] === rows[y - 1]) {
      finer.copyWithin(start, start - width, start);
      continue;
    }
    const parents = rows[y]! * stride;
    for (let x = 0; x < width; x++) finer[start + x] = codes[parents + columns[x]!]!;
  }
  return finer;
};

/** Every pixel is set where its parent is. */
const expandRuns = (runs: Runs, stride: number, tables: ParentTables): Runs => {
  const coarse = planeOf(runs, stride * (runs.rows.length - 1));
  return findRuns(expandCodes(coarse, stride, tables), tables.columns.length, tables.rows.length);
};

/** `decideLevel` where the cascade ends, without what only the runtime keeps. No codes: every pixel is open. */
const decideEnd = (
  codes: Uint8Array | undefined,
  maps: Float32Array,
  { width, height }: { readonly width: number; readonly height: number },
  level: number,
  thresholds: LevelThresholds,
): { readonly plane: BitPlane; readonly counts: LevelCounts } => {
  const pixels = width * height;
  const final = endThreshold(level, thresholds);
  const mixedShare = endMixedShare(level);
  const plane = emptyPlane(width, height);
  const { stride, words } = plane;
  let computed = 0;
  let accepted = 0;
  for (let y = 0, i = 0; y < height; y++) {
    for (let word = y * stride, rowEnd = i + width; i < rowEnd; word++) {
      let bits = 0;
      for (let bit = 0, end = Math.min(32, rowEnd - i); bit < end; bit++, i++) {
        const code = codes === undefined ? OPEN : codes[i]!;
        if (code !== OPEN) {
          if (code === ACCEPTED) bits |= 1 << bit;
          continue;
        }
        computed++;
        const value = mixedShare === 0 ? maps[2 * pixels + i]! : maps[2 * pixels + i]! + mixedShare * maps[pixels + i]!;
        if (!(value >= final)) continue; // as `decide`, also where it is no number
        accepted++;
        bits |= 1 << bit;
      }
      words[word] = bits;
    }
  }
  return { plane, counts: { level, computed, accepted, rejected: computed - accepted } };
};

/** Index = level - 2: from level 1 straight to that level, by parents of parents. */
const composedTables = (toCoarser: readonly ParentTables[]): readonly ParentTables[] => {
  const composed: ParentTables[] = [];
  for (const tables of toCoarser) {
    const finer = composed.at(-1);
    composed.push(finer === undefined ? tables : composeParents(finer, tables));
  }
  return composed;
};
