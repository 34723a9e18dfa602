/** @file Loss weights of the three classes (METHOD.md 4). */

const MAX_WEIGHT = 4;
/** A class with fewer training examples is reported, and its level's upper threshold is none. */
const RARE = 50n;

/** Returns how many patches each of the network's three classes has. */
export function countClasses(byLabel: readonly bigint[], classOfLabel: readonly number[]): bigint[] {
  const counts = [0n, 0n, 0n];
  for (const [label, count] of byLabel.entries())
    counts[classOfLabel[label]!] = (counts[classOfLabel[label]!] ?? 0n) + count;
  return counts;
}

/** Returns 1 / (classes present * frequency), at most 4; 1 where every class is equally frequent, 0 for a class without examples. */
export function classWeights(counts: readonly bigint[]): Float32Array {
  const total = Number(counts.reduce((sum, count) => sum + count, 0n));
  const present = counts.filter((count) => count > 0n).length;
  return Float32Array.from(counts, (count) =>
    count === 0n ? 0 : Math.min(MAX_WEIGHT, total / (present * Number(count))),
  );
}

/** Returns the classes that a level learns from (`classOfLabel`) with fewer than 50 examples. */
export const rareClasses = (counts: readonly bigint[], classOfLabel: readonly number[]): number[] =>
  [...new Set(classOfLabel)].filter((cls) => (counts[cls] ?? 0n) < RARE).sort();
