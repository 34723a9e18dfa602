import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import { blockGrid, blockSide, rectAtLevel } from "./blocks.ts";
import { type CascadeState, checkThresholds, computeFraction, decideLevel, expandState, openState } from "./cascade.ts";
import type { Rect } from "./image.ts";
import { levelSize } from "./levels.ts";
import { parentTables } from "./parents.ts";
import { createRandom } from "./random.ts";
import { simulate } from "./simulation.ts";

/** How many pixels are to be computed at the next level. */
const countOpen = ({ level }: CascadeState): number => level.filter((decided) => decided === 0).length;

/** A map of one row from its pixels' [P1, P2]. */
const row = (...pixels: readonly (readonly [number, number])[]): Float32Array =>
  Float32Array.from([
    ...pixels.map(([p1, p2]) => 1 - p1 - p2),
    ...pixels.map(([p1]) => p1),
    ...pixels.map(([, p2]) => p2),
  ]);

test("accepts by P2, goes on by P1 + P2, rejects the rest", () => {
  const maps = row([0, 0.75], [0, 0.5], [0.25, 0.25], [0.25, 0], [0, 0]);
  const rule = { level: 2, endsAt: 1, thresholds: { lower: 0.5, upper: 0.75 } };
  const { state, counts } = decideLevel(openState(5, 1), maps, rule);
  assert.deepEqual([...state.level], [2, 0, 0, 2, 2]);
  assert.deepEqual([...state.positive], [1, 0, 0, 0, 0]);
  assert.deepEqual([...state.p2], [0.75, 0, 0, 0, 0]);
  assert.deepEqual(counts, { level: 2, computed: 5, accepted: 1, rejected: 2 });
  assert.equal(countOpen(state), 2);
});

test("without thresholds everything goes on", () => {
  const { counts } = decideLevel(openState(2, 1), row([0, 1], [0, 0]), { level: 3, endsAt: 1, thresholds: {} });
  assert.deepEqual(counts, { level: 3, computed: 2, accepted: 0, rejected: 0 });
});

test("a lower above 1 sends nothing on, and the last level computes nothing", () => {
  const rule = { level: 2, endsAt: 1, thresholds: { lower: 1.5, upper: 0.5 } };
  const { state } = decideLevel(openState(2, 1), row([0, 1], [1, 0]), rule);
  assert.equal(countOpen(state), 0);
  const last = decideLevel(state, row([0, 0], [0, 1]), { level: 1, endsAt: 1, thresholds: { lower: 0.5 } });
  assert.deepEqual([...last.state.positive], [1, 0]);
  assert.deepEqual(last.counts, { level: 1, computed: 0, accepted: 0, rejected: 0 });
});

test("ends at level 1 by P2 against lower, at a coarser level by P2 + P1/2 against final", () => {
  const maps = row([1, 0], [0.5, 0.25], [0.25, 0.25], [0, 0.5]);
  const ends = (level: number, thresholds: object) => [
    ...decideLevel(openState(4, 1), maps, { level, endsAt: level, thresholds }).state.positive,
  ];
  assert.deepEqual(ends(1, { lower: 0.5 }), [0, 0, 0, 1]);
  assert.deepEqual(ends(1, { final: 0.5 }), [0, 0, 0, 1]);
  assert.deepEqual(ends(2, { final: 0.5, upper: 0.1, lower: 2 }), [1, 1, 0, 1]);
});

test("sums P1 and P2 in double: 0.1 + 0.2 in float32 is above 0.3", () => {
  const lower = 0.3;
  const sum = Math.fround(0.1) + Math.fround(0.2);
  assert.notEqual(Math.fround(sum), sum);
  const rule = (threshold: number) => ({ level: 2, endsAt: 1, thresholds: { lower: threshold } });
  assert.equal(countOpen(decideLevel(openState(1, 1), row([0.1, 0.2]), rule(lower)).state), 1);
  assert.equal(countOpen(decideLevel(openState(1, 1), row([0.1, 0.2]), rule(sum)).state), 1);
  assert.equal(countOpen(decideLevel(openState(1, 1), row([0.1, 0.2]), rule(sum + 1e-15)).state), 0);
});

test("passes level, P2 and decision down to every finer pixel; what is open stays open", () => {
  const rule = { level: 2, endsAt: 1, thresholds: { lower: 0.25, upper: 0.75 } };
  const { state } = decideLevel(openState(3, 1), row([0, 0.75], [0, 0.5], [0, 0.125]), rule);
  const finer = expandState(state, parentTables({ x: 0, y: 0, width: 5, height: 2 }, 5, 2, 1, 2));
  assert.deepEqual([...finer.level], [2, 2, 0, 0, 2, 2, 2, 0, 0, 2]);
  assert.deepEqual([...finer.p2], [0.75, 0.75, 0, 0, 0.125, 0.75, 0.75, 0, 0, 0.125]);
  assert.deepEqual([...finer.positive], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]);
});

test("refuses to end without a threshold, and thresholds that are not numbers or too few", () => {
  const refusal = (part: string) => (thrown: unknown) =>
    thrown instanceof DomainError && thrown.reason === "THRESHOLDS_INVALID" && thrown.message.includes(part);
  const end = (level: number, thresholds: object) => () =>
    decideLevel(openState(1, 1), row([0, 0]), { level, endsAt: level, thresholds });
  assert.throws(end(1, { upper: 1 }), refusal('"lower"'));
  assert.throws(end(2, { lower: 1 }), refusal('"final"'));
  checkThresholds([{ lower: 0.5 }, { lower: 2 }], 2, 1);
  assert.throws(() => checkThresholds([{ lower: 0.5 }], 2, 1), refusal("2 levels"));
  assert.throws(() => checkThresholds([{ lower: 0.5 }, { upper: Number.NaN }], 2, 1), refusal("NaN"));
  assert.throws(() => checkThresholds([{ lower: 0.5 }, {}], 2, 2), refusal('"final"'));
});

/** The rectangle of a planar map. */
const cropMap = (map: Float32Array, width: number, { x, y, width: w, height: h }: Rect): Float32Array => {
  const pixels = map.length / 3;
  return Float32Array.from({ length: 3 * w * h }, (_, i) => {
    const c = Math.floor(i / (w * h));
    const at = i % (w * h);
    return map[c * pixels + (y + Math.floor(at / w)) * width + x + (at % w)]!;
  });
};

test("tile by tile it decides as on the whole image, for any end level", () => {
  const size = fc.integer({ min: 1, max: 700 });
  const sets = fc.constantFrom<number[]>([1, 2, 4, 10], [1, 3, 7], [1, 4, 10]);
  fc.assert(
    fc.property(size, size, sets, fc.integer(), (width, height, reductions, seed) => {
      const random = createRandom("cascade", seed);
      const levels = reductions.length;
      const endsAt = 1 + random.int(levels);
      const maps = reductions.map((n) => {
        const pixels = levelSize(width, n) * levelSize(height, n);
        return Float32Array.from({ length: 3 * pixels }, () => random.next() / 2);
      });
      const threshold = () => (random.int(4) === 0 ? undefined : random.next());
      const thresholds = reductions.map(() => ({ lower: random.next() / 2, upper: threshold(), final: random.next() }));
      const whole = simulate({ width, height, maps }, reductions, thresholds, endsAt, {
        maxHolePx: 0,
        openingPx: 0,
        neckPx: 0,
        minNucleusPx: 0,
      });
      const finest = reductions[endsAt - 1]!;
      const pixels = levelSize(width, finest) * levelSize(height, finest);
      assert.equal(whole.computeFraction, computeFraction(whole.counts, pixels));

      const computed = new Map<number, number>();
      for (const area of blockGrid({ x: 0, y: 0, width, height }, blockSide(reductions))) {
        let state: CascadeState | undefined;
        for (let level = levels; level >= endsAt; level--) {
          const rect = rectAtLevel(area, reductions[level - 1]!);
          state =
            state === undefined
              ? openState(rect.width, rect.height)
              : expandState(state, parentTables(area, width, height, reductions[level - 1]!, reductions[level]!));
          const map = cropMap(maps[level - 1]!, levelSize(width, reductions[level - 1]!), rect);
          const decided = decideLevel(state, map, { level, endsAt, thresholds: thresholds[level - 1]! });
          state = decided.state;
          computed.set(level, (computed.get(level) ?? 0) + decided.counts.computed);
        }
        for (let level = endsAt; level > 1; level--) {
          state = expandState(
            state!,
            parentTables(area, width, height, reductions[level - 2]!, reductions[level - 1]!),
          );
        }
        for (let y = 0; y < area.height; y++) {
          const from = (area.y + y) * width + area.x;
          const expected = whole.mask.slice(from, from + area.width);
          assert.deepEqual(state!.positive.slice(y * area.width, (y + 1) * area.width), expected);
        }
      }
      for (const { level, computed: expected, accepted, rejected } of whole.counts) {
        assert.equal(computed.get(level), expected);
        assert.ok(accepted + rejected <= expected && (level > endsAt || accepted + rejected === expected));
      }
    }),
    { numRuns: 30 },
  );
});
