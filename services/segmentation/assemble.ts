/** @file Makes an image's results from its tiles: probability image, mask without holes and specks, decided-by-level map (METHOD.md 5 and 7). */
import pLimit from "p-limit";
import { encodePng } from "../lib/images/encode-png.ts";
import { computeFraction } from "../lib/method/cascade.ts";
import { cleanMask, scaleCleaning } from "../lib/method/cleaning.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { Cascade, type LevelCounts } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask } from "../lib/proto/radhical/v1/work.ts";
import { planCascade } from "../lib/service/cascade-plan.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { statesFolder } from "../lib/service/tile-state.ts";
import { ASSEMBLE_TOPIC } from "../lib/service/topics.ts";
import { joinTiles } from "./join-tiles.ts";

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
    const { state, levels, finestPixels, seconds } = await joinTiles(ctx.objects, prefix, plan, size, unit.progress);
    const { width, height, level, p2, positive } = state;
    const mask = cleanMask(positive, width, height, scaleCleaning(cascade, plan.scale)).map((set) => 255 * set);
    await unit.progress();
    const images = [
      { path: `${imageId}_prob.png`, channels: 3 as const, data: probabilityImage(p2) },
      { path: `${imageId}_mask.png`, channels: 1 as const, data: mask },
      { path: `${imageId}_level.png`, channels: 1 as const, data: level },
    ];
    const files = images.map(async ({ path, channels, data }) => {
      const key = objectKey(prefix, "image", path);
      await ctx.objects.put(key, await encodePng({ width, height, channels, data }), { ifAbsent: true });
      await unit.progress();
      return { path, key };
    });
    const fraction = computeFraction(levels.map(asNumbers), finestPixels);
    const resolution = { mpp: plan.mpp, mppAssumed: cascade.imageMpp === 0 };
    const stored = await Promise.all(files);
    await removeStates(ctx.objects, prefix, unit.progress);
    const image = { imageId, width, height, levels, computeFraction: fraction, seconds, ...resolution };
    return encode(AssembleRecord, { image, files: stored });
  },
});

/** The image's tiles are done: no level asks for a tile's state any more. Tile results stay: they hold P2 as float32. */
async function removeStates(objects: ObjectStore, prefix: string, progress: () => Promise<void>): Promise<void> {
  const limit = pLimit(REMOVALS_AT_A_TIME);
  const keys: string[] = [];
  for await (const { key } of objects.list(`${statesFolder(prefix)}/`)) keys.push(key);
  await limit.map(keys, async (key) => {
    await objects.delete(key);
    await progress();
  });
}

const asNumbers = ({ level, computed, accepted, rejected }: LevelCounts) => ({
  level,
  computed: Number(computed),
  accepted: Number(accepted),
  rejected: Number(rejected),
});

/** Channels 1 - P2, P2, 0; 0..255 stands for 0..1 in every file. */
function probabilityImage(p2: Float32Array): Uint8Array {
  const data = new Uint8Array(3 * p2.length);
  for (let i = 0; i < p2.length; i++) {
    data[3 * i] = Math.round(255 * (1 - p2[i]!));
    data[3 * i + 1] = Math.round(255 * p2[i]!);
  }
  return data;
}
