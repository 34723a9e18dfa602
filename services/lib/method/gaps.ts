/**
 * @file METHOD.md 6: a threshold in the middle of a gap between the values seen, so that evaluations that differ by float noise decide alike.
 */

/** Least width of a gap. METHOD.md's 2e-6 is for differences of 2e-7; sparse evaluation without blocked convolutions was seen 2.4e-6 from dense. */
export const MIN_GAP = 1e-5;
/**
 * How far a threshold may move. Where millions of values lie as close as floats can, the next gap may be beyond all of them; there the widest
 * one within reach serves, which noise can cross, but at a handful of pixels.
 */
export const REACH = 1 / 256;
/** Values are sorted into bins, narrower than the least gap. */
const BIN = 4e-6;
const BINS = Math.ceil(1 / BIN) + 2;

/** Values that a threshold is compared with: P2 + mixedShare * P1 of planar [3, h, w] maps, in double. */
export interface SeenValues {
  readonly maps: readonly Float32Array[];
  /** 0 for an upper threshold and at level 1, 1 for a lower one, 1/2 for a final one. */
  readonly mixedShare: number;
}

/** Returns where a threshold stands best. */
export type Centring = (threshold: number) => number;

/** The places between values, ascending: gap i goes from `starts[i]` to `ends[i]`; the first and the last are endless. */
interface Gaps {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

/**
 * Returns a function that moves a threshold to the middle of the nearest gap of at least 1e-5 between seen values; to that of the widest if
 * none is within 1/256. Before the least and after the greatest value the gap has no end: there the threshold stays, at least half a gap off.
 * A threshold of 0 or less, which lets everything pass, stays too. One pass over the values, whatever is asked later.
 */
export const createCentring = (seen: SeenValues): Centring => {
  const gaps = findGaps(seen);
  return (threshold) => {
    if (threshold <= 0) return threshold;
    const { from, to } = bestGap(gaps, threshold);
    return middle(threshold, from, to);
  };
};

/** The gaps between values of different bins: those of a bin are closer than any gap that is looked for. */
const findGaps = ({ maps, mixedShare }: SeenValues): Gaps => {
  const least = new Float64Array(BINS).fill(Number.POSITIVE_INFINITY);
  const greatest = new Float64Array(BINS).fill(Number.NEGATIVE_INFINITY);
  for (const map of maps) {
    const pixels = map.length / 3;
    for (let i = 0; i < pixels; i++) {
      const value = map[2 * pixels + i]! + mixedShare * map[pixels + i]!;
      const bin = Math.min(BINS - 1, Math.max(0, Math.floor(value / BIN)));
      if (value < least[bin]!) least[bin] = value;
      if (value > greatest[bin]!) greatest[bin] = value;
    }
  }
  const isUsed = (value: number): boolean => Number.isFinite(value);
  return {
    starts: Float64Array.from([Number.NEGATIVE_INFINITY, ...greatest.filter(isUsed)]),
    ends: Float64Array.from([...least.filter(isUsed), Number.POSITIVE_INFINITY]),
  };
};

const bestGap = ({ starts, ends }: Gaps, threshold: number): { readonly from: number; readonly to: number } => {
  let nearest: number | undefined;
  let widest: number | undefined;
  const width = (i: number): number => ends[i]! - starts[i]!;
  const distance = (i: number): number => Math.max(0, starts[i]! - threshold, threshold - ends[i]!);
  for (let i = firstFrom(ends, threshold - REACH); i < starts.length && starts[i]! <= threshold + REACH; i++) {
    if (widest === undefined || width(i) > width(widest)) widest = i;
    if (width(i) >= MIN_GAP && (nearest === undefined || distance(i) < distance(nearest))) nearest = i;
  }
  const best = nearest ?? widest!;
  return { from: starts[best]!, to: ends[best]! };
};

/** The place of the first of ascending numbers that is at least so large. */
const firstFrom = (ascending: Float64Array, least: number): number => {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const between = (low + high) >> 1;
    if (ascending[between]! < least) low = between + 1;
    else high = between;
  }
  return low;
};

const middle = (threshold: number, from: number, to: number): number => {
  if (Number.isFinite(from) && Number.isFinite(to)) return (from + to) / 2;
  const highest = to - MIN_GAP / 2;
  const lowest = from + MIN_GAP / 2;
  return Math.max(lowest, Math.min(highest, threshold));
};
