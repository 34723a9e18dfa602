import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { levelSize } from "../services/lib/method/levels.ts";
import { createRandom } from "../services/lib/method/random.ts";
import { DEFAULT_NETWORK, parseNetwork } from "../services/lib/network/network-description.ts";
import { checkDense, checkTileSizes, isExact, type Lines, openingThresholds, sampledRegions } from "./exactness.ts";
import { runExactness } from "./exactness-run.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import { seededModel } from "./seeded-models.ts";
import { makeTissue } from "./synthetic-tissue.ts";

/** Odd sizes, several tiles, narrower than a patch's reach, one pixel, widths 9 and 10 modulo 20 (METHOD.md). */
const SIZES = [
  [1029, 531],
  [530, 89],
  [61, 47],
  [9, 40],
  [10, 29],
  [1, 1],
] as const;

/** Levels 1 and 2 have the most pixels, and smaller networks; the coarser levels have the default one. */
const NARROW_NETWORK = parseNetwork({
  ...DEFAULT_NETWORK,
  layers: DEFAULT_NETWORK.layers.map((layer, i) =>
    layer.type === "conv" && i < DEFAULT_NETWORK.layers.length - 1 ? { ...layer, channels: layer.channels / 4 } : layer,
  ),
});

/** Of another depth: convolutions one after the other, pools of other sizes, and a last convolution of several pixels. */
const DEEPER_NETWORK = parseNetwork({
  ...DEFAULT_NETWORK,
  layers: [
    { type: "conv", kernelPx: 3, channels: 8 },
    { type: "relu" },
    { type: "conv", kernelPx: 3, channels: 8 },
    { type: "maxPool", sizePx: 4 },
    { type: "conv", kernelPx: 2, channels: 16 },
    { type: "relu" },
    { type: "conv", kernelPx: 1, channels: 12 },
    { type: "relu" },
    { type: "maxPool", sizePx: 3 },
    { type: "conv", kernelPx: 2, channels: 3 },
  ],
});

const CHECKS = [
  "dense = patches, level 1",
  "dense = patches, level 2",
  "dense = patches, level 3",
  "dense = patches, level 4",
  "sparse = patches, level 1",
  "sparse = patches, level 2",
  "sparse = patches, level 3",
  "sparse = patches, level 4",
  "blocks read = whole image reduced",
  "maps by any tile size",
  "cascade by tiles = simulation, by opening thresholds, ending at level 1",
  "cascade's counts = simulation's, by opening thresholds, ending at level 1",
  "cascade by tiles = simulation, by opening thresholds, ending at level 2",
  "cascade's counts = simulation's, by opening thresholds, ending at level 2",
  "cascade by tiles = simulation, by opening thresholds, ending at level 4",
  "cascade's counts = simulation's, by opening thresholds, ending at level 4",
  "parents stay in their tile",
];

const MODELS = [
  seededModel(1, 1, 1, { network: NARROW_NETWORK, members: 2 }),
  seededModel(2, 2, 1, { network: DEEPER_NETWORK, members: 2 }),
  seededModel(3, 4, 1),
  seededModel(4, 10, 1),
];

/** Runs all checks on generated images of these sizes. */
async function runOn(t: TestContext, sizes: readonly (readonly [number, number])[], lines: Lines) {
  const folder = await temporaryFolder(t);
  const images = [];
  for (const [i, [width, height]] of sizes.entries()) {
    const name = `${width}x${height}`;
    const path = join(folder, `${name}.png`);
    const { image } = makeTissue({ width, height, seed: i + 1 });
    await writeFile(path, await encodePng({ ...image, channels: 3 }));
    images.push({ name, path });
  }
  return runExactness({ images, models: MODELS, folder: join(folder, "objects"), lines });
}

test("the services compute exactly what the method says, on images of odd sizes", async (t) => {
  const comparisons = await runOn(t, SIZES, 2);
  for (const check of CHECKS) {
    await t.test(check, () => {
      const own = comparisons.filter((comparison) => comparison.check === check);
      assert.equal(own.length, SIZES.length);
      assert.deepEqual(
        own.filter((comparison) => !isExact(comparison)),
        [],
      );
    });
  }
});

test("dense evaluation is the per-patch network's at every pixel of an image of several blocks", async (t) => {
  const [width, height] = [530, 89];
  const comparisons = await runOn(t, [[width, height]], "every pixel");
  assert.deepEqual(
    comparisons.filter((comparison) => !isExact(comparison)),
    [],
  );
  const dense = comparisons.filter(({ check }) => check.startsWith("dense = patches"));
  assert.deepEqual(
    dense.map(({ compared }) => compared),
    [1, 2, 4, 10].map((reduction) => levelSize(width, reduction) * levelSize(height, reduction)),
  );
});

const smallMap = (change = 0) => {
  const maps = [Float32Array.from({ length: 3 * 20 }, (_, i) => i / 60)];
  maps[0]![7]! += change;
  return { width: 5, height: 4, maps };
};

test("a single value that differs fails a check, and so does a check that compared nothing", () => {
  const whole = { x: 0, y: 0, width: 5, height: 4 };
  const patches = [{ level: 1, region: whole, probabilities: smallMap().maps[0]! }];
  assert.deepEqual(checkDense("image", smallMap(), [1], patches).map(isExact), [true]);
  assert.deepEqual(checkDense("image", smallMap(2e-6), [1], patches).map(isExact), [false]);
  assert.deepEqual(checkDense("image", smallMap(Number.NaN), [1], patches).map(isExact), [false]);
  assert.deepEqual(checkDense("image", smallMap(), [1], []).map(isExact), [false]);
  assert.equal(isExact(checkTileSizes("image", [smallMap(), smallMap()])), true);
  assert.equal(isExact(checkTileSizes("image", [smallMap(), smallMap(1e-6)])), false);
});

test("regions to compare hold the borders and both sides of a block's edge", () => {
  const regions = sampledRegions(300, 200, 125, 3, createRandom("regions", 1));
  const rows = regions.filter(({ width }) => width === 300).map(({ y }) => y);
  const columns = regions.filter(({ height }) => height === 200).map(({ x }) => x);
  assert.equal(rows.length + columns.length, regions.length);
  for (const row of [0, 124, 125, 199]) assert.ok(rows.includes(row), `row ${row}`);
  for (const column of [0, 124, 125, 299]) assert.ok(columns.includes(column), `column ${column}`);
  assert.deepEqual(sampledRegions(7, 3, 125, 3, createRandom("regions", 1)), [{ x: 0, y: 0, width: 7, height: 3 }]);
});

test("every pixel, where asked for, is in one region", () => {
  const regions = sampledRegions(300, 200, 125, "every pixel", createRandom("regions", 1));
  const rows = regions.flatMap(({ y, height }) => Array.from({ length: height }, (_, i) => y + i));
  assert.deepEqual(
    rows,
    Array.from({ length: 200 }, (_, y) => y),
  );
  assert.ok(regions.length > 1 && regions.every(({ x, width }) => x === 0 && width === 300));
});

test("thresholds for the checks leave every level something to accept, to reject and to pass on", () => {
  const random = createRandom("maps", 1);
  const map = () => {
    const values = new Float32Array(3 * 1000);
    for (let i = 0; i < 1000; i++) {
      const [none, mixed, nucleus] = [random.next(), random.next(), random.next()];
      const sum = none + mixed + nucleus;
      values.set([none / sum], i);
      values.set([mixed / sum], 1000 + i);
      values.set([nucleus / sum], 2000 + i);
    }
    return values;
  };
  const maps = [map(), map()];
  const [, { lower = 0, upper = 0 } = {}] = openingThresholds([{ width: 40, height: 25, maps }], 2);
  const nucleus = maps[1]!.subarray(2000);
  const accepted = nucleus.filter((p2) => p2 >= upper).length;
  const rejected = nucleus.filter((p2, i) => p2 < upper && maps[1]![1000 + i]! + p2 < lower).length;
  for (const count of [accepted, rejected, 1000 - accepted - rejected]) assert.ok(count > 100, `${count} of 1000`);
});
