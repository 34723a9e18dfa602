/** @file Tiles become an image's results: nothing of the tiles' seams is left in them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openImage } from "../lib/images/image-source.ts";
import { decodeMask } from "../lib/images/mask.ts";
import { rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import { ACCEPTED, OPEN, REJECTED } from "../lib/method/cascade.ts";
import { DEFAULT_CLEANING } from "../lib/method/cleaning.ts";
import { createDecider, openPixels, type TileDecisions } from "../lib/method/decisions.ts";
import { enlargeMask } from "../lib/method/enlarged-mask.fixture.ts";
import type { Rect } from "../lib/method/image.ts";
import { makeMappedImage } from "../lib/method/mapped-image.fixture.ts";
import { levelOnePx } from "../lib/method/resolution.ts";
import { simulate } from "../lib/method/simulation.ts";
import { Cascade, SegmentationMode } from "../lib/proto/radhical/v1/segmentation.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import { AssembleRecord, AssembleTask, TileRecord } from "../lib/proto/radhical/v1/work.ts";
import { planCascade, thresholdMessages } from "../lib/service/cascade-plan.ts";
import { contentId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runUnit } from "../lib/service/jobs/inline.fixture.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";
import { storeModelDocument } from "../lib/service/stored-models.fixture.ts";
import { countsMessage, encodeTileState, statesFolder } from "../lib/service/tile-state.ts";
import { ASSEMBLE_TOPIC } from "../lib/service/topics.ts";
import { assembleWorker } from "./assemble.ts";
import { segmentJobs } from "./submit.ts";

const WIDTH = 1_100;
const HEIGHT = 620;
const isIn = (x: number, y: number, left: number, top: number, side: number): boolean =>
  x >= left && x < left + side && y >= top && y < top + side;
/**
 * All nucleus, but for a hole of 144 pixels where four tiles of 500 meet and one of 400 on a seam of two; in a clearing, on a seam of
 * two, 36 pixels that are none, and 64 that are one with a spur two pixels wide.
 */
const isPositive = (x: number, y: number): boolean => {
  if (isIn(x, y, 960, 200, 100)) return isIn(x, y, 997, 220, 6) || isIn(x, y, 996, 260, 8) || isSpur(x, y);
  return !isIn(x, y, 494, 494, 12) && !isIn(x, y, 990, 100, 20);
};
const isSpur = (x: number, y: number): boolean => x >= 999 && x < 1_001 && y >= 268 && y < 290;
/** Of 255. */
const p2Of = (x: number, y: number): number => (x + 3 * y) % 256;

/** An image whose tiles are decided, and under which cascade. */
interface Decided {
  readonly size: { readonly width: number; readonly height: number };
  readonly cascade: Partial<Cascade>;
  /** Returns what became of tile `n`. */
  readonly decide: (tile: Rect, n: number) => TileDecisions;
}

/** Stores tiles as level workers leave them, and joins them. */
async function assembleTiles(t: TestContext, { size, cascade: given, decide }: Decided) {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e7);
  const imageId = await storeImage(objects, size.width, size.height, () => [200, 150, 200]);
  for (const level of given.models ?? [])
    await storeModelDocument(objects, level.modelId, { model: Model.fromPartial({ ...level }) });
  const cascade = Cascade.fromPartial({ ...DEFAULT_CLEANING, ...given });
  const { scale } = planCascade(cascade);
  const plan = await segmentJobs({ objects, images }).plan({ requestId: "x", imageIds: [imageId], cascade });
  const units = [...plan.units];
  const joining = units.find(({ topic }) => topic === ASSEMBLE_TOPIC)!;
  const tiles = tileGrid(levelOnePx(size.width, scale), levelOnePx(size.height, scale), cascade.tile);
  assert.equal(units.length, tiles.length + 1);
  for (const [n, tile] of tiles.entries()) {
    const decided = decide(tile, n);
    const resultKey = `results/${n}`;
    await objects.put(resultKey, encodeTileState(decided));
    const record = { levels: decided.levels.map(({ counts }) => countsMessage(counts)), seconds: 0.5, resultKey };
    await objects.put(units[n]!.outputKey, encode(TileRecord, record));
  }
  const states = statesFolder(AssembleTask.decode(joining.message).prefix);
  for (const n of [1, 2]) await objects.put(`${states}/0-${n}`, Buffer.from("state"));
  const record = AssembleRecord.decode(await runUnit(objects, assembleWorker({ objects, images }), joining));
  for await (const { key } of objects.list(`${states}/`)) assert.fail(`"${key}" is left`);
  const read = async (suffix: string) => objects.get(record.files.find(({ path }) => path.endsWith(suffix))!.key);
  const [prob, mask, level] = await Promise.all(["_prob.png", "_mask.png", "_level.png"].map(read));
  return { image: record.image!, prob: prob!, mask: mask!, level: level! };
}

/** The models of levels 1, 2, … */
const modelsOf = (reductions: readonly number[]) =>
  reductions.map((reduction, i) => ({ level: i + 1, reduction, modelId: contentId("model", i), mpp: 0.25 }));

const pixelsOf = ({ x, y, width, height }: Rect) =>
  Array.from({ length: width * height }, (_, i) => [x + (i % width), y + Math.floor(i / width)] as const);

/** The image above, all of it decided at level 1. */
const assemble = (t: TestContext, tile: number) =>
  assembleTiles(t, {
    size: { width: WIDTH, height: HEIGHT },
    cascade: {
      models: modelsOf([1]),
      mode: SegmentationMode.SEGMENTATION_MODE_DENSE,
      thresholds: [{ level: 1, lower: 0.5 }],
      tile,
    },
    decide: (area, n) => {
      const pixels = pixelsOf(area);
      const counts = { level: 1, computed: pixels.length, accepted: n, rejected: 1 };
      const decisions = Uint8Array.from(pixels, ([px, py]) => (isPositive(px, py) ? ACCEPTED : REJECTED));
      const p2 = Uint8Array.from(pixels, ([px, py]) => p2Of(px, py));
      const image = { width: WIDTH, height: HEIGHT };
      return { tile: area, image, reductions: [1], levels: [{ counts, decisions, p2 }] };
    },
  });

test("a small hole on a seam is filled and a spur and a small nucleus are dropped, large ones stay", async (t) => {
  const { mask } = await assemble(t, 500);
  const { labels, width, height } = await decodeMask(mask, "binary");
  assert.deepEqual([width, height], [WIDTH, HEIGHT]);
  for (let i = 0; i < labels.length; i++) {
    const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
    const isNone = isIn(x, y, 960, 200, 100) ? !isIn(x, y, 996, 260, 8) : isIn(x, y, 990, 100, 20);
    assert.equal(labels[i], isNone ? 0 : 1, `pixel ${x}, ${y}`);
  }
});

test("tiles of another side give the same files, byte for byte", async (t) => {
  const [large, small] = [await assemble(t, 1_000), await assemble(t, 500)];
  for (const file of ["prob", "mask", "level"] as const) assert.deepEqual(large[file], small[file], file);
});

test("counts and seconds of the tiles are added up", async (t) => {
  const { image } = await assemble(t, 500);
  assert.deepEqual(image.levels, [{ level: 1, computed: BigInt(WIDTH * HEIGHT), accepted: 15n, rejected: 6n }]);
  assert.deepEqual([image.computeFraction, image.seconds, image.width, image.height], [1, 3, WIDTH, HEIGHT]);
});

test("a pixel shows 1 - P2, P2 and 0 of the level that decided it, and which that was", async (t) => {
  const size = { width: 521, height: 31 };
  const reductions = [2, 1];
  /** At level 2: in turn decided as nucleus, as none, and left to level 1. */
  const coarse = (x: number, y: number) => [ACCEPTED, REJECTED, OPEN][(x + y) % 3]!;
  const coarseP2 = (x: number, y: number) => 255 - ((3 * x + y) % 120);
  const fineP2 = (x: number, y: number) => (x + 7 * y) % 120;
  const listed = (level: number, pixels: readonly (readonly [number, number])[]) => ({
    counts: { level, computed: pixels.length, accepted: 0, rejected: 0 },
    decisions: Uint8Array.from(pixels, ([x, y]) => (level === 2 ? coarse(x, y) : ACCEPTED)),
    p2: Uint8Array.from(pixels, ([x, y]) => (level === 2 ? coarseP2(x, y) : fineP2(x, y))),
  });
  const isOpen = (x: number, y: number) => coarse(Math.floor(x / 2), Math.floor(y / 2)) === OPEN;
  const { prob, level } = await assembleTiles(t, {
    size,
    cascade: {
      models: modelsOf([1, 2]),
      mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
      thresholds: [{ level: 1, lower: 0.5 }, { level: 2 }],
      tile: 500,
    },
    decide: (tile) => {
      const levels = [
        listed(2, pixelsOf(rectAtLevel(tile, 2))),
        listed(
          1,
          pixelsOf(tile).filter(([x, y]) => isOpen(x, y)),
        ),
      ];
      return { tile, image: size, reductions, levels };
    },
  });
  const probabilities = await pixelsOfFile(prob);
  const levels = await pixelsOfFile(level);
  assert.deepEqual([probabilities.length, levels.length], [3 * 521 * 31, 3 * 521 * 31]);
  const seen = new Set<number>();
  for (const [x, y] of pixelsOf({ x: 0, y: 0, ...size })) {
    const expected = isOpen(x, y) ? [fineP2(x, y), 1] : [coarseP2(Math.floor(x / 2), Math.floor(y / 2)), 2];
    const [p2, decidedAt] = [expected[0]!, expected[1]!];
    const at = 3 * (y * size.width + x);
    assert.deepEqual([...probabilities.subarray(at, at + 3)], [255 - p2, p2, 0], `pixel ${x}, ${y}`);
    assert.equal(levels[at], decidedAt, `level of pixel ${x}, ${y}`);
    seen.add(decidedAt);
  }
  assert.equal(seen.size, 2);
});

/** Interleaved RGB, grey thrice. */
async function pixelsOfFile(file: Uint8Array): Promise<Uint8Array> {
  const { width, height, readRegion } = await openImage(file);
  return (await readRegion({ x: 0, y: 0, width, height })).data;
}

test("of an image that serves level 2 at best, the mask is the simulation's that tuning chose thresholds by", async (t) => {
  const reductions = [1, 2, 4];
  const size = { width: 175, height: 120 };
  const image = makeMappedImage(2 * size.width, 2 * size.height, reductions, 3);
  const thresholds = [{}, { final: 0.5 }, { lower: 0.1, upper: 0.95 }];
  const { mask } = await assembleTiles(t, {
    size,
    cascade: {
      models: modelsOf(reductions),
      mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
      thresholds: thresholdMessages(thresholds),
      tile: 500,
      imageMpp: 0.5,
    },
    decide: (tile) => {
      let decided: TileDecisions = { tile, image, reductions: [4, 2], levels: [] };
      for (const level of [3, 2]) {
        const open = openPixels(decided);
        const { width, height } = rectAtLevel(tile, reductions[level - 1]!);
        const decider = createDecider(open, width, { level, endsAt: 2, thresholds: thresholds[level - 1]! });
        const pixels = Int32Array.from(open, (_, i) => i).filter((i) => open[i] === 1);
        const values = image.maps[level - 1]!.filter((_, i) => open[i % open.length] === 1);
        decider.take({ x: 0, y: 0, width, height }, pixels, values);
        decided = { ...decided, levels: [...decided.levels, decider.finish()] };
      }
      return decided;
    },
  });
  const { labels } = await decodeMask(mask, "binary");
  const expected = simulate(image, reductions, thresholds, 2, DEFAULT_CLEANING).mask;
  const shown = enlargeMask(labels, image.width, image.height, 2);
  assert.deepEqual(shown, expected);
  assert.ok(shown.includes(1) && shown.includes(0));
});

test("a tile whose result is gone is an expected failure", async (t) => {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e7);
  const imageId = await storeImage(objects, 40, 40, () => [1, 2, 3]);
  const models = modelsOf([1]);
  const thresholds = [{ level: 1, lower: 0.5 }];
  const mode = SegmentationMode.SEGMENTATION_MODE_DENSE;
  const cascade = Cascade.fromPartial({ models, mode, thresholds, tile: 500 });
  const work = assembleWorker({ objects, images }).handle(
    { imageId, cascade, prefix: "segmentations/x" },
    { signal: new AbortController().signal, outputKey: "x", headers: {}, progress: async () => undefined },
  );
  await assert.rejects(work, { name: "DomainError", reason: "OBJECT_NOT_FOUND" });
});
