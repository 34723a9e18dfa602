/** @file SYSTEM.md, Work units: the same bytes for any tile size, number of workers and order of delivery, also if all comes twice. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openServices, type Services } from "../services/cli/services.ts";
import { ALL_SERVICES } from "../services/embedded/embedded.ts";
import { levelSize } from "../services/lib/method/levels.ts";
import { readConfig } from "../services/lib/service/config.ts";
import { createLogger } from "../services/lib/service/log.ts";
import { startServices } from "../services/lib/service/service.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import {
  type CascadeInput,
  cascadeOf,
  importCascade,
  REDUCTIONS,
  segmentCascade,
  thresholdsFor,
} from "./segment-cascade.fixture.ts";
import { writeTissueImage } from "./segmented-image.fixture.ts";
import { TOKEN } from "./serving.fixture.ts";
import { type Unruliness, unruly } from "./unruly-queue.fixture.ts";

/** More than one tile of any size. */
const [WIDTH, HEIGHT] = [2110, 520];

/** Services of a process of their own kind: so many workers, on a queue that is as it should be or is not. */
async function start(t: TestContext, workers: number, how?: Unruliness): Promise<Services> {
  const folder = await temporaryFolder(t);
  const config = readConfig({
    RADHICAL_LISTEN: "127.0.0.1:0",
    RADHICAL_OBJECTS: folder,
    RADHICAL_TOKEN: TOKEN,
    RADHICAL_LOG_LEVEL: "error",
    RADHICAL_WORKERS: String(workers),
  });
  const definitions = how ? ALL_SERVICES.map((definition) => unruly(definition, how)) : ALL_SERVICES;
  const running = await startServices(definitions, config, createLogger("test", "error"));
  t.after(() => running.stop());
  const services = await openServices(running.server.address, "", { RADHICAL_TOKEN: TOKEN });
  t.after(() => services.close());
  return services;
}

test("a cascade gives the same bytes and counts for any tiles, workers and delivery", async (t) => {
  const path = await writeTissueImage(await temporaryFolder(t), "tissue", WIDTH, HEIGHT);
  const plain = await start(t, 1);
  const input = await importCascade(plain, path);
  const thresholds = await thresholdsFor(plain, input, { width: 1200, height: HEIGHT });
  const segment = (services: Services, { imageId, models }: CascadeInput, tile: number) =>
    segmentCascade(t, services, imageId, cascadeOf(models, thresholds, tile));
  const expected = await segment(plain, input, 500);
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
      assert.deepEqual(await segment(plain, input, tile), expected);
    });
  }
  const three = await start(t, 3);
  const threeInput = await importCascade(three, path);
  for (const tile of [500, 2000]) {
    await t.test(`three workers, tiles of ${tile} pixels`, async () => {
      assert.deepEqual(await segment(three, threeInput, tile), expected);
    });
  }
  for (const [said, tile, how] of [
    ["everything twice and out of order", 500, { seed: 1 }],
    ["everything twice and out of order", 1000, { seed: 2 }],
    ["everything out of order", 500, { seed: 3, copies: 1 }],
    ["everything twice", 500, { seed: 4, inOrder: true }],
  ] as const) {
    await t.test(`${said}, three workers, tiles of ${tile} pixels`, async () => {
      const services = await start(t, 3, how);
      assert.deepEqual(await segment(services, await importCascade(services, path), tile), expected);
    });
  }
});
