/** @file Makes an image's results from its tiles: probability image, mask without holes, spurs and specks, decided-by-level map (METHOD.md 5 and 7). */
import pLimit from "p-limit";
import { encodeResultPng } from "../lib/images/result-png.ts";
import { computeFraction } from "../lib/method/cascade.ts";
import { cleanRuns, scaleCleaning } from "../lib/method/cleaning.ts";
import { findRuns, paintRuns } from "../lib/method/components.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { Cascade } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask } from "../lib/proto/radhical/v1/work.ts";
import { planCascade } from "../lib/service/cascade-plan.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { countsMessage, statesFolder } from "../lib/service/tile-state.ts";
import { ASSEMBLE_TOPIC } from "../lib/service/topics.ts";
import { joinTiles, type ResultPlanes } from "./join-tiles.ts";

const REMOVALS_AT_A_TIME = 8;

export interface AssembleContext {
  readonly objects: ObjectStore;
  readonly images: Pick<ImageStore, "describe">;
}

/** Returns the worker that joins tiles. One image at a time: an image is the largest thing in memory. */
export const assembleWorker = (ctx: AssembleContext): UnitHandler<AssembleTask> => ({
  topics: [ASSEMBLE_TOPIC],
  members: 1,
  codec: AssembleTask,
  handle: async ({ imageId, cascade: given, prefix }, unit) => {
    const cascade = given ?? Cascade.create();
    const plan = planCascade(cascade);
    const size = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const join = (planes: ResultPlanes) => joinTiles(ctx.objects, prefix, plan, size, unit.progress, planes);
    const { width, height } = size;
    const cleaning = scaleCleaning(cascade, plan.scale);
    const store = async (kind: string, channels: 1 | 3, data: Uint8Array) => {
      const path = `${imageId}_${kind}.png`;
      const key = objectKey(prefix, "image", path);
      await ctx.objects.put(key, await encodeResultPng({ width, height, channels, data }), { ifAbsent: true });
      await unit.progress();
      return { path, key };
    };
    // One after the other: of a large image every plane counts.
    const storeDecisions = async () => {
      const planes = { positive: new Uint8Array(width * height), level: new Uint8Array(width * height) };
      const joined = await join(planes);
      const { positive, level } = planes;
      const runs = cleanRuns(findRuns(positive, width, height), width, cleaning);
      const mask = paintRuns(positive.fill(0), runs, 255);
      return { joined, files: await Promise.all([store("mask", 1, mask), store("level", 1, level)]) };
    };
    const storeProbability = async () => {
      const planes = { probability: new Uint8Array(3 * width * height) };
      await join(planes);
      return store("prob", 3, planes.probability);
    };
    const { joined, files } = await storeDecisions();
    const stored = [await storeProbability(), ...files];
    const { levels, finestPixels, seconds } = joined;
    const fraction = computeFraction(levels, finestPixels);
    const resolution = { mpp: plan.mpp, mppAssumed: cascade.imageMpp === 0 };
    await removeStates(ctx.objects, prefix, unit.progress);
    const counts = levels.map(countsMessage);
    const image = { imageId, width, height, levels: counts, computeFraction: fraction, seconds, ...resolution };
    return encode(AssembleRecord, { image, files: stored });
  },
});

/**
 * The image's tiles are done: no level asks for a tile's state any more. Tile results stay: a tile's record, by which it counts as done, names
 * its result, and whoever joins the image once more (the unit comes again, or another request has it too) reads it.
 */
async function removeStates(objects: ObjectStore, prefix: string, progress: () => Promise<void>): Promise<void> {
  const limit = pLimit(REMOVALS_AT_A_TIME);
  const keys: string[] = [];
  for await (const { key } of objects.list(`${statesFolder(prefix)}/`)) keys.push(key);
  await limit.map(keys, async (key) => {
    await objects.delete(key);
    await progress();
  });
}
