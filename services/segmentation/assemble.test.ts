/** @file Tiles become an image's results: nothing of the tiles' seams is left in them. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { decodeMask } from "../lib/images/mask.ts";
import { tileGrid } from "../lib/method/blocks.ts";
import { ACCEPTED, REJECTED } from "../lib/method/cascade.ts";
import { Cascade, SegmentationMode } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask, TileRecord } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { createDocument, encode } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runUnit } from "../lib/service/jobs/inline.fixture.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";
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

/** Stores tiles as level workers leave them, and joins them. */
async function assemble(t: TestContext, tile: number) {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e7);
  const imageId = await storeImage(objects, WIDTH, HEIGHT, () => [200, 150, 200]);
  const modelId = contentId("model");
  await createDocument(objects, MODEL, modelId, { model: undefined, manifest: "", key: "model" });
  const cascade = Cascade.fromPartial({
    models: [{ level: 1, reduction: 1, modelId, mpp: 0.25 }],
    mode: SegmentationMode.SEGMENTATION_MODE_DENSE,
    thresholds: [{ level: 1, lower: 0.5 }],
    tile,
    maxHolePx: 150,
    openingPx: 1,
    neckPx: 4,
    minNucleusPx: 60,
  });
  const plan = await segmentJobs({ objects, images }).plan({ requestId: "x", imageIds: [imageId], cascade });
  const units = [...plan.units];
  const joining = units.find(({ topic }) => topic === ASSEMBLE_TOPIC)!;
  const tiles = tileGrid(WIDTH, HEIGHT, tile);
  assert.equal(units.length, tiles.length + 1);
  for (const [n, { x, y, width, height }] of tiles.entries()) {
    const pixels = Array.from(
      { length: width * height },
      (_, i) => [x + (i % width), y + Math.floor(i / width)] as const,
    );
    const counts = { level: 1, computed: width * height, accepted: n, rejected: 1 };
    const decisions = Uint8Array.from(pixels, ([px, py]) => (isPositive(px, py) ? ACCEPTED : REJECTED));
    const p2 = Uint8Array.from(pixels, ([px, py]) => p2Of(px, py));
    const resultKey = `results/${n}`;
    const decided = {
      tile: { x, y, width, height },
      image: { width: WIDTH, height: HEIGHT },
      reductions: [1],
      levels: [{ counts, decisions, p2 }],
    };
    await objects.put(resultKey, encodeTileState(decided));
    const record = { levels: [countsMessage(counts)], seconds: 0.5, resultKey };
    await objects.put(units[n]!.outputKey, encode(TileRecord, record));
  }
  const states = statesFolder(AssembleTask.decode(joining.message).prefix);
  for (const n of [1, 2]) await objects.put(`${states}/0-${n}`, Buffer.from("state"));
  const record = AssembleRecord.decode(await runUnit(objects, assembleWorker({ objects, images }), joining));
  for await (const { key } of objects.list(`${states}/`)) assert.fail(`"${key}" is left`);
  const read = async (suffix: string) => objects.get(record.files.find(({ path }) => path.endsWith(suffix))!.key);
  return {
    image: record.image!,
    mask: await read("_mask.png"),
    files: await Promise.all(["_prob.png", "_mask.png", "_level.png"].map(read)),
  };
}

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
  assert.deepEqual((await assemble(t, 1_000)).files, (await assemble(t, 500)).files);
});

test("counts and seconds of the tiles are added up", async (t) => {
  const { image } = await assemble(t, 500);
  assert.deepEqual(image.levels, [{ level: 1, computed: BigInt(WIDTH * HEIGHT), accepted: 15n, rejected: 6n }]);
  assert.deepEqual([image.computeFraction, image.seconds, image.width, image.height], [1, 3, WIDTH, HEIGHT]);
});

test("a tile whose result is gone is an expected failure", async (t) => {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e7);
  const imageId = await storeImage(objects, 40, 40, () => [1, 2, 3]);
  const models = [{ level: 1, reduction: 1, modelId: contentId("model"), mpp: 0.25 }];
  const thresholds = [{ level: 1, lower: 0.5 }];
  const mode = SegmentationMode.SEGMENTATION_MODE_DENSE;
  const cascade = Cascade.fromPartial({ models, mode, thresholds, tile: 500 });
  const work = assembleWorker({ objects, images }).handle(
    { imageId, cascade, prefix: "segmentations/x" },
    { signal: new AbortController().signal, outputKey: "x", headers: {}, progress: async () => undefined },
  );
  await assert.rejects(work, { name: "DomainError", reason: "OBJECT_NOT_FOUND" });
});
