/** @file METHOD.md 6: the cascade on full probability maps, by the functions that the runtime decides with. */
import { type BitPlane, complement, emptyPlane, lowestBit } from "./bit-plane.ts";
import { unpackRuns } from "./bit-runs.ts";
import {
  type CascadeState,
  type CascadeThresholds,
  computeFraction,
  decideLevel,
  endMixedShare,
  endThreshold,
  expandState,
  type LevelCounts,
  type LevelThresholds,
  openState,
} from "./cascade.ts";
import { type Cleaning, cleanRuns, scaleCleaning } from "./cleaning.ts";
import { type Components, componentsOf, planeOf, type Runs } from "./components.ts";
import { levelSize } from "./levels.ts";
import { composeParents, lowerBound, type ParentTables, parentTables } from "./parents.ts";

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
  const everything = everythingLeft(sizes[coarsest - 1]!);
  const decided: (Decided | undefined)[] = [];
  const lefts: ({ readonly key: string; readonly left: Left } | undefined)[] = [];

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

  /** What coarser levels left to the last one. */
  const leftTo = (endsAt: number, { key, state }: Decided): Left => {
    const kept = lefts[endsAt];
    if (kept?.key === key) return kept.left;
    const left = expandLeft(state, toCoarser[endsAt - 1]!);
    lefts[endsAt] = { key, left };
    return left;
  };

  const run = (thresholds: CascadeThresholds, endsAt: number): SimulatedCascade => {
    const before = endsAt === coarsest ? undefined : decidedAt(endsAt + 1, thresholds);
    const size = sizes[endsAt - 1]!;
    const pixels = size.width * size.height;
    const left = before ? leftTo(endsAt, before) : everything;
    const end = decideEnd(left, maps[endsAt - 1]!, endsAt, thresholds[endsAt - 1]!);
    const counts = [...(before?.counts ?? []), end.counts];
    // The runtime cleans an image's own pixels: where the cascade ends at a coarser level, that level's.
    const own = cleanRuns(unpackRuns(end.plane), size.width, cleanings[endsAt - 1]!);
    const nuclei = endsAt === 1 ? own : componentsOf(expandRuns(own, size.width, toEnd[endsAt - 2]!), width, 8);
    return { nuclei, counts, computeFraction: computeFraction(counts, pixels) };
  };
  return { run };
};

/** What coarser levels left to a level, in its pixels: the open ones and the accepted ones. */
interface Left {
  readonly open: BitPlane;
  readonly accepted: BitPlane;
}

const everythingLeft = ({ width, height }: { readonly width: number; readonly height: number }): Left => ({
  open: complement(emptyPlane(width, height)),
  accepted: emptyPlane(width, height),
});

/** Every pixel takes its parent's bits, where the runtime also keeps level and probability. */
const expandLeft = ({ width: parents, level, positive }: CascadeState, { columns, rows }: ParentTables): Left => {
  const width = columns.length;
  const open = emptyPlane(width, rows.length);
  const accepted = emptyPlane(width, rows.length);
  const { stride } = open;
  for (let y = 0; y < rows.length; y++) {
    const start = y * stride;
    if (y > 0 && rows[y] === rows[y - 1]) {
      for (const { words } of [open, accepted]) words.copyWithin(start, start - stride, start);
      continue;
    }
    const row = rows[y]! * parents;
    for (let word = 0, x = 0; x < width; word++) {
      let openBits = 0;
      let acceptedBits = 0;
      for (let bit = 0, end = Math.min(32, width - x); bit < end; bit++, x++) {
        const parent = row + columns[x]!;
        if (level[parent] === 0) openBits |= 1 << bit;
        else acceptedBits |= positive[parent]! << bit;
      }
      open.words[start + word] = openBits;
      accepted.words[start + word] = acceptedBits;
    }
  }
  return { open, accepted };
};

/** Every pixel is set where its parent is. */
const expandRuns = (
  { starts, ends, rows: parentRows }: Runs,
  parents: number,
  { columns, rows }: ParentTables,
): Runs => {
  const width = columns.length;
  const begins = Int32Array.from({ length: parents + 1 }, (_, column) => lowerBound(columns, column));
  const most = rows.reduce((sum, row) => sum + parentRows[row + 1]! - parentRows[row]!, 0);
  const finer = { starts: new Uint32Array(most), ends: new Uint32Array(most), rows: new Uint32Array(rows.length + 1) };
  let count = 0;
  for (let y = 0; y < rows.length; y++) {
    const row = rows[y]! * parents;
    for (let run = parentRows[rows[y]!]!; run < parentRows[rows[y]! + 1]!; run++) {
      const from = y * width + begins[starts[run]! - row]!;
      const to = y * width + begins[ends[run]! - row]!;
      if (from === to) continue; // of the last column or row no pixel may have its centre there
      finer.starts[count] = from;
      finer.ends[count++] = to;
    }
    finer.rows[y + 1] = count;
  }
  return { starts: finer.starts.subarray(0, count), ends: finer.ends.subarray(0, count), rows: finer.rows };
};

/** `decideLevel` where the cascade ends, without what only the runtime keeps. */
const decideEnd = (
  { open, accepted: before }: Left,
  maps: Float32Array,
  level: number,
  thresholds: LevelThresholds,
): { readonly plane: BitPlane; readonly counts: LevelCounts } => {
  const { width, height, stride } = open;
  const pixels = width * height;
  const final = endThreshold(level, thresholds);
  const mixedShare = endMixedShare(level);
  const words = before.words.slice();
  let computed = 0;
  let accepted = 0;
  for (let y = 0; y < height; y++) {
    for (let word = 0; word < stride; word++) {
      let bits = 0;
      for (let left = open.words[y * stride + word]!; left !== 0; left &= left - 1) {
        const bit = lowestBit(left);
        const i = y * width + 32 * word + bit;
        computed++;
        const value = mixedShare === 0 ? maps[2 * pixels + i]! : maps[2 * pixels + i]! + mixedShare * maps[pixels + i]!;
        if (!(value >= final)) continue; // as `decide`, also where it is no number
        accepted++;
        bits |= 1 << bit;
      }
      words[y * stride + word] = words[y * stride + word]! | bits;
    }
  }
  return { plane: { ...open, words }, counts: { level, computed, accepted, rejected: computed - accepted } };
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
