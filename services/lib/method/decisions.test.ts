import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { blockSide, rectAtLevel, tileGrid } from "./blocks.ts";
import { type CascadeState, decideLevel, expandState, openState } from "./cascade.ts";
import { createDecider, decidedPixels, openPixels, type TileDecisions } from "./decisions.ts";
import { parentTables } from "./parents.ts";
import { createRandom } from "./random.ts";

const REDUCTIONS = [10, 4, 2, 1];
const LEVELS = REDUCTIONS.length;
const THRESHOLDS = [
  { lower: 0.5 },
  { lower: 0.4, upper: 0.8, final: 0.6 },
  { lower: 0.3, upper: 0.9, final: 0.5 },
  { lower: 0.2, final: 0.4 },
];

/** Random probabilities, float32 [3, n]. */
function randomMap(seed: string, pixels: number): Float32Array {
  const random = createRandom(seed);
  const map = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    map[pixels + i] = random.next() / 2;
    map[2 * pixels + i] = random.next() * (1 - map[pixels + i]!);
  }
  return map;
}

/** The cascade on planes, level by level, beside the same on lists. */
function compare(tile: TileDecisions["tile"], image: TileDecisions["image"], endsAt: number, seed: string): void {
  const reductions = REDUCTIONS.slice(0, LEVELS - endsAt + 1);
  let lists: TileDecisions = { tile, image, reductions, levels: [] };
  let state: CascadeState | undefined;
  for (const [place, reduction] of reductions.entries()) {
    const level = LEVELS - place;
    const { width, height } = rectAtLevel(tile, reduction);
    const rule = { level, endsAt, thresholds: THRESHOLDS[level - 1]! };
    const map = randomMap(`${seed} ${level}`, width * height);
    const coarser = reductions[place - 1];
    const before: CascadeState =
      state && coarser !== undefined
        ? expandState(state, parentTables(tile, image.width, image.height, reduction, coarser))
        : openState(width, height);
    const open = openPixels(lists);
    assert.deepEqual(
      open,
      before.level.map((decided) => (decided === 0 ? 1 : 0)),
    );

    const decider = createDecider(open, width, rule);
    // In two rectangles side by side, as parts of a block come.
    const half = Math.floor(width / 2);
    for (const rect of [
      { x: 0, y: 0, width: half, height },
      { x: half, y: 0, width: width - half, height },
    ]) {
      const at = (pixel: number): number => Math.floor(pixel / rect.width) * width + rect.x + (pixel % rect.width);
      const pixels = Int32Array.from({ length: rect.width * height }, (_, i) => i).filter((i) => open[at(i)] === 1);
      const values = [0, 1, 2].flatMap((c) => Array.from(pixels, (pixel) => map[c * width * height + at(pixel)]!));
      decider.take(rect, pixels, Float32Array.from(values));
    }
    const decided = decider.finish();
    const after = decideLevel(before, map, rule);
    assert.deepEqual(decided.counts, after.counts);
    lists = { ...lists, levels: [...lists.levels, decided] };
    state = after.state;
  }
  const p2: number[] = [];
  const described: number[] = [];
  decidedPixels(
    lists,
    (level, isAccepted, probability) => 2 * (16 * p2.push(probability) + level) + (isAccepted ? 1 : 0),
    ({ y, plane, width }) => {
      assert.equal(described.length, y * width);
      for (const number of plane) described.push(number);
    },
  );
  assert.deepEqual(
    described.map((number) => (number >>> 1) % 16),
    [...state!.level],
  );
  assert.deepEqual(
    described.map((number) => number & 1),
    [...state!.positive],
  );
  assert.deepEqual(
    described.map((number) => p2[(number >>> 5) - 1]),
    Array.from(state!.p2, (probability) => Math.round(255 * probability)),
  );
}

test("a tile's lists say at every level and in the end what planes over the tile say, wherever the cascade ends", () => {
  const sides = fc.integer({ min: 1, max: 560 });
  for (let endsAt = 1; endsAt <= LEVELS; endsAt++) {
    fc.assert(
      fc.property(sides, sides, fc.nat(), (width, height, seed) => {
        for (const tile of tileGrid(width, height, blockSide(REDUCTIONS)))
          compare(tile, { width, height }, endsAt, `${seed}`);
      }),
      { numRuns: endsAt === 1 ? 8 : 6 },
    );
  }
});

test("a tile of which a coarse level decided everything has all its pixels from there", () => {
  const tile = { x: 0, y: 0, width: 20, height: 10 };
  const counts = { level: 4, computed: 2, accepted: 2, rejected: 0 };
  const levels = [{ counts, decisions: Uint8Array.of(2, 2), p2: Uint8Array.of(3, 3) }];
  const seen: number[] = [];
  decidedPixels(
    { tile, image: tile, reductions: REDUCTIONS, levels },
    (level, isAccepted, p2) => 100 * level + 10 * Number(isAccepted) + p2,
    ({ plane }) => seen.push(...plane),
  );
  assert.deepEqual(seen, new Array(200).fill(413));
});
