/** @file SYSTEM.md, Work units: the same bytes for any tile size, number of workers and order of delivery, also if all comes twice. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { runJob } from "../services/cli/follow-job.ts";
import { importModels } from "../services/cli/model-folder.ts";
import { levelModels } from "../services/cli/run-steps.ts";
import { openServices, type Services } from "../services/cli/services.ts";
import { importFile, inside, receiveFiles } from "../services/cli/transfer.ts";
import { ALL_SERVICES } from "../services/embedded/embedded.ts";
import { levelSize } from "../services/lib/method/levels.ts";
import { ImportPurpose } from "../services/lib/proto/radhical/v1/datasets.ts";
import { type LevelModel, RegionPath } from "../services/lib/proto/radhical/v1/inference.ts";
import { SegmentationMode, SubmitRequest } from "../services/lib/proto/radhical/v1/segmentation.ts";
import type { LevelThresholds } from "../services/lib/proto/radhical/v1/tuning.ts";
import { thresholdMessages } from "../services/lib/service/cascade-plan.ts";
import { readConfig } from "../services/lib/service/config.ts";
import { createLogger } from "../services/lib/service/log.ts";
import { startServices } from "../services/lib/service/service.ts";
import { openingThresholds } from "./exactness.ts";
import { SILENT } from "./exactness-run.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import { seededModel } from "./seeded-models.ts";
import { writeTissueImage } from "./segmented-image.fixture.ts";
import { TOKEN } from "./serving.fixture.ts";
import { unrulyQueue } from "./unruly-queue.fixture.ts";

const [WIDTH, HEIGHT] = [1230, 710];
const REDUCTIONS = [1, 2, 4, 10];

/** Services of a process of their own kind: so many workers, on a queue that is as it should be or is not. */
async function start(t: TestContext, workers: number, unrulySeed?: number): Promise<Services> {
  const folder = await temporaryFolder(t);
  const config = readConfig({
    RADHICAL_LISTEN: "127.0.0.1:0",
    RADHICAL_OBJECTS: folder,
    RADHICAL_TOKEN: TOKEN,
    RADHICAL_LOG_LEVEL: "error",
    RADHICAL_WORKERS: String(workers),
  });
  const definitions = ALL_SERVICES.map((definition) => ({
    ...definition,
    start: (...[platform, options]: Parameters<typeof definition.start>) =>
      definition.start(
        unrulySeed === undefined ? platform : { ...platform, queue: unrulyQueue(platform.queue, unrulySeed) },
        options,
      ),
  }));
  const running = await startServices(definitions, config, createLogger("test", "error"));
  t.after(() => running.stop());
  const services = await openServices(running.server.address, "", { RADHICAL_TOKEN: TOKEN });
  t.after(() => services.close());
  return services;
}

interface Prepared {
  readonly imageId: string;
  readonly models: readonly LevelModel[];
}

async function prepare(services: Services, path: string): Promise<Prepared> {
  const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
  const levels = REDUCTIONS.map((reduction, i) => seededModel(i + 1, reduction, 1));
  return { imageId, models: levelModels(await importModels(services, { levels })) };
}

/** Thresholds by which every level accepts, rejects and passes on: blocks are then evaluated in every way there is. */
async function thresholdsFor(services: Services, { imageId, models }: Prepared): Promise<LevelThresholds[]> {
  const maps: Float32Array[] = [];
  for (const level of models) {
    const [width, height] = [WIDTH, HEIGHT].map((px) => levelSize(px, level.reduction));
    const request = {
      imageId,
      level,
      x: 0,
      y: 0,
      width: width ?? 0,
      height: height ?? 0,
      path: RegionPath.REGION_PATH_DENSE,
    };
    const { probabilities } = await services.inference.predictRegion(request);
    maps.push(new Float32Array(Uint8Array.from(probabilities).buffer));
  }
  return thresholdMessages(openingThresholds([{ width: WIDTH, height: HEIGHT, maps }], REDUCTIONS.length));
}

/** Returns every file of the result by name, and the counts. */
async function segment(
  t: TestContext,
  services: Services,
  { imageId, models }: Prepared,
  thresholds: LevelThresholds[],
  tile: number,
) {
  const mode = SegmentationMode.SEGMENTATION_MODE_CASCADE;
  const cascade = { models: [...models], thresholds, mode, tile, maxHolePx: 150, imageMpp: 0 };
  const segmentationId = await runJob(services, SILENT, {
    service: "segmentation",
    what: "cascade",
    codec: SubmitRequest,
    request: { requestId: "", imageIds: [imageId], cascade },
    submit: (request) => services.segmentation.submit(request),
  });
  const folder = await temporaryFolder(t);
  const files = await receiveFiles(
    services.segmentation.fetchResult({ segmentationId, imageIds: [] }),
    inside(join(folder, "result")),
  );
  const { images } = await services.segmentation.getResult({ segmentationId });
  const bytes = await Promise.all(
    files.toSorted().map(async (file) => [basename(file), await readFile(file)] as const),
  );
  return { files: Object.fromEntries(bytes), levels: images[0]?.levels };
}

test("a cascade gives the same bytes and counts for any tiles, workers and delivery", async (t) => {
  const path = await writeTissueImage(await temporaryFolder(t), "tissue", WIDTH, HEIGHT);
  const plain = await start(t, 1);
  const prepared = await prepare(plain, path);
  const thresholds = await thresholdsFor(plain, prepared);
  const expected = await segment(t, plain, prepared, thresholds, 500);
  assert.equal(Object.keys(expected.files).length, 3);
  const computed = expected.levels?.map((level) => Number(level.computed)) ?? [];
  assert.equal(computed.length, REDUCTIONS.length);
  for (const [i, reduction] of REDUCTIONS.entries()) {
    const all = levelSize(WIDTH, reduction) * levelSize(HEIGHT, reduction);
    const count = computed[i] ?? 0;
    assert.ok(count > 0 && (i === REDUCTIONS.length - 1 ? count === all : count < all), `${computed}`);
  }

  for (const tile of [1000, 2000]) {
    await t.test(`tiles of ${tile} pixels`, async () => {
      assert.deepEqual(await segment(t, plain, prepared, thresholds, tile), expected);
    });
  }
  for (const [tile, seed] of [
    [500, 1],
    [1000, 2],
  ] as const) {
    await t.test(`three workers, tiles of ${tile}, everything twice and out of order (seed ${seed})`, async () => {
      const unruly = await start(t, 3, seed);
      assert.deepEqual(await segment(t, unruly, await prepare(unruly, path), thresholds, tile), expected);
    });
  }
});
