import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { centreInGap, MIN_GAP } from "./gaps.ts";
import { createRandom } from "./random.ts";

/** A map whose P2 (and P1) are the given values. */
const seen = (p2: readonly number[], mixedShare = 0, p1: readonly number[] = p2.map(() => 0)) => ({
  maps: [Float32Array.from([...p2.map(() => 0), ...p1, ...p2])],
  mixedShare,
});

test("moves a threshold to the middle of the gap it lies in", () => {
  assert.equal(centreInGap(0.3, seen([0.25, 0.5, 0.75])), 0.375);
  assert.equal(centreInGap(0.5, seen([0.25, 0.5, 0.75])), 0.375);
});

test("compares with P2 + P1 times the share, over all maps", () => {
  assert.equal(centreInGap(0.7, seen([0.25, 0.5], 0.5, [0.5, 0.5])), 0.625);
  const [one] = seen([0.25]).maps;
  const [other] = seen([0.75]).maps;
  assert.equal(centreInGap(0.3, { maps: [one!, other!], mixedShare: 0 }), 0.5);
});

test("beyond all values it stays, but not nearer than half a gap", () => {
  assert.equal(centreInGap(0.9, seen([0.25, 0.5])), 0.9);
  assert.equal(centreInGap(0.1, seen([0.25, 0.5])), 0.1);
  assert.equal(centreInGap(0.5 + 1e-9, seen([0.5])), 0.5 + MIN_GAP / 2);
  assert.equal(centreInGap(0.5 - 1e-9, seen([0.5])), 0.5 - MIN_GAP / 2);
  assert.equal(centreInGap(1.5, seen([1])), 1.5);
});

test("leaves alone what lets everything pass", () => {
  assert.equal(centreInGap(0, seen([0, 0.5])), 0);
});

test("takes the nearest gap of at least 2e-6, as a look at all gaps does", () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.001, max: 0.999, noNaN: true }), (seed, threshold) => {
      const random = createRandom("gaps", seed);
      // so dense that most gaps are too narrow
      const spread = 10 ** -(1 + random.int(5));
      const values = Array.from({ length: 2000 }, () =>
        Math.fround(Math.max(0, threshold + (random.next() - 0.5) * spread)),
      );
      const sorted = [...values].sort((a, b) => a - b);
      let best = { distance: Number.POSITIVE_INFINITY, at: Number.NaN };
      const consider = (distance: number, at: number) => {
        if (distance < best.distance) best = { distance, at };
      };
      consider(Math.max(0, threshold - sorted[0]!), Math.min(threshold, sorted[0]! - MIN_GAP / 2));
      for (let i = 1; i < sorted.length; i++) {
        const [from, to] = [sorted[i - 1]!, sorted[i]!];
        if (to - from >= MIN_GAP) consider(Math.max(0, from - threshold, threshold - to), (from + to) / 2);
      }
      consider(Math.max(0, sorted.at(-1)! - threshold), Math.max(threshold, sorted.at(-1)! + MIN_GAP / 2));
      const centred = centreInGap(threshold, seen(values));
      assert.equal(centred, best.at);
      for (const value of values) assert.ok(Math.abs(value - centred) >= MIN_GAP / 2 - 1e-15);
    }),
    { numRuns: 60 },
  );
});
