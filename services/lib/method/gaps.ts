/**
 * @file METHOD.md 6: a threshold in the middle of a gap between the values seen, so that evaluations that differ by 2e-7 decide alike.
 */

/** Least width of a gap. */
export const MIN_GAP = 2e-6;
/** How far from the threshold is searched first, and by how much farther each time. */
const FIRST_REACH = 2e-5;
const REACH_GROWTH = 8;

/** Values that a threshold is compared with: P2 + mixedShare * P1 of planar [3, h, w] maps, in double. */
export interface SeenValues {
  readonly maps: readonly Float32Array[];
  /** 0 for an upper threshold and at level 1, 1 for a lower one, 1/2 for a final one. */
  readonly mixedShare: number;
}

/**
 * Returns the middle of the nearest gap of at least 2e-6 between seen values. Before the least and after the greatest value the gap has
 * no end: there the threshold stays, at least 1e-6 off. A threshold of 0 or less, which lets everything pass, stays too.
 */
export const centreInGap = (threshold: number, seen: SeenValues): number => {
  if (threshold <= 0) return threshold;
  for (let reach = FIRST_REACH; ; reach *= REACH_GROWTH) {
    const values = valuesAround(threshold, reach, seen);
    const gap = nearestGap(threshold, values);
    // gaps that were not looked at are farther than `reach`
    if (gap !== undefined && gap.distance <= reach) return middle(threshold, gap.from, gap.to);
  }
};

/** Sorted values within reach, between the next value before and the next after; infinite where there is none. */
const valuesAround = (threshold: number, reach: number, { maps, mixedShare }: SeenValues): Float64Array => {
  const least = threshold - reach;
  const greatest = threshold + reach;
  let before = Number.NEGATIVE_INFINITY;
  let after = Number.POSITIVE_INFINITY;
  const within: number[] = [];
  for (const map of maps) {
    const pixels = map.length / 3;
    for (let i = 0; i < pixels; i++) {
      const value = map[2 * pixels + i]! + mixedShare * map[pixels + i]!;
      if (value < least) before = Math.max(before, value);
      else if (value > greatest) after = Math.min(after, value);
      else within.push(value);
    }
  }
  return Float64Array.from([before, ...within, after]).sort();
};

const nearestGap = (threshold: number, sorted: Float64Array) => {
  let nearest: { readonly from: number; readonly to: number; readonly distance: number } | undefined;
  for (let i = 1; i < sorted.length; i++) {
    const from = sorted[i - 1]!;
    const to = sorted[i]!;
    if (to - from < MIN_GAP) continue;
    const distance = Math.max(0, from - threshold, threshold - to);
    if (nearest === undefined || distance < nearest.distance) nearest = { from, to, distance };
  }
  return nearest;
};

const middle = (threshold: number, from: number, to: number): number => {
  if (Number.isFinite(from) && Number.isFinite(to)) return (from + to) / 2;
  const highest = to - MIN_GAP / 2;
  const lowest = from + MIN_GAP / 2;
  return Math.max(lowest, Math.min(highest, threshold));
};
