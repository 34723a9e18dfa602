import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createCentring, MIN_GAP, REACH, type SeenValues } from "./gaps.ts";
import { createRandom } from "./random.ts";

/** A map whose P2 (and P1) are the given values. */
const seen = (p2: readonly number[], mixedShare = 0, p1: readonly number[] = p2.map(() => 0)) => ({
  maps: [Float32Array.from([...p2.map(() => 0), ...p1, ...p2])],
  mixedShare,
});

const centreInGap = (threshold: number, values: SeenValues): number => createCentring(values)(threshold);

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

test("takes the nearest gap of at least 1e-5 within reach, else the widest, as a look at all gaps does", () => {
  let [near, wide] = [0, 0];
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (seed, threshold) => {
      const random = createRandom("gaps", seed);
      // so dense that most gaps are too narrow, or all
      const spread = 10 ** -(1 + random.int(3));
      const values = Array.from({ length: 20_000 }, () => Math.fround(threshold + (random.next() - 0.5) * spread));
      const sorted = [Number.NEGATIVE_INFINITY, ...values.sort((a, b) => a - b), Number.POSITIVE_INFINITY];
      const gaps = sorted.slice(1).map((to, i) => {
        const from = sorted[i]!;
        return { from, to, width: to - from, distance: Math.max(0, from - threshold, threshold - to) };
      });
      const within = gaps.filter(({ distance }) => distance <= REACH);
      const enough = within.filter(({ width }) => width >= MIN_GAP);
      const [best] =
        enough.length > 0 ? enough.sort((a, b) => a.distance - b.distance) : within.sort((a, b) => b.width - a.width);
      if (enough.length > 0) near++;
      else wide++;
      const { from, to } = best!;
      const isEndless = !Number.isFinite(from) || !Number.isFinite(to);
      const at = isEndless ? Math.max(from + MIN_GAP / 2, Math.min(to - MIN_GAP / 2, threshold)) : (from + to) / 2;
      assert.equal(centreInGap(threshold, seen(values)), at);
    }),
    { numRuns: 60, seed: 1 },
  );
  assert.ok(near > 10 && wide > 10, `${near} near, ${wide} wide`);
});

test("among millions of values a threshold stays where it is, to 1/256", () => {
  const random = createRandom("many values", 1);
  const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
  const map = new Float32Array(3 * 3_000_000);
  for (let i = 2 * 3_000_000; i < map.length; i++) map[i] = logistic(2.5 * random.normal() - 3);
  const centre = createCentring({ maps: [map], mixedShare: 1 });
  for (let i = 1; i < 64; i++)
    assert.ok(Math.abs(centre(i / 64) - i / 64) <= REACH, `${i}/64 became ${centre(i / 64)}`);
});
