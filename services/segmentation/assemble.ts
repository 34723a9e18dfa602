/** @file Makes an image's results from its tiles: probability image, mask with its holes filled, decided-by-level map (METHOD.md 5 and 7). */
import { encodePng } from "../lib/images/encode-png.ts";
import { computeFraction } from "../lib/method/cascade.ts";
import { findRuns, paintRuns } from "../lib/method/components.ts";
import { fillRunHoles } from "../lib/method/holes.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { Cascade } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask } from "../lib/proto/radhical/v1/work.ts";
import { planCascade } from "../lib/service/cascade-plan.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { countsMessage } from "../lib/service/tile-state.ts";
import { ASSEMBLE_TOPIC } from "../lib/service/topics.ts";
import { joinTiles } from "./join-tiles.ts";

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
    const joined = await joinTiles(ctx.objects, prefix, plan, size, unit.progress);
    const { probability, positive, level, levels, finestPixels, seconds } = joined;
    const { width, height } = size;
    const maxHolePx = Math.floor(cascade.maxHolePx / plan.scale ** 2);
    // In place: of a large image every plane counts. What was set is set again, as nothing is taken away.
    const filled = paintRuns(positive, fillRunHoles(findRuns(positive, width, height), width, maxHolePx), 255);
    const images = [
      { path: `${imageId}_prob.png`, channels: 3 as const, data: probability },
      { path: `${imageId}_mask.png`, channels: 1 as const, data: filled },
      { path: `${imageId}_level.png`, channels: 1 as const, data: level },
    ];
    const files = images.map(async ({ path, channels, data }) => {
      const key = objectKey(prefix, "image", path);
      await ctx.objects.put(key, await encodePng({ width, height, channels, data }), { ifAbsent: true });
      await unit.progress();
      return { path, key };
    });
    const fraction = computeFraction(levels, finestPixels);
    const resolution = { mpp: plan.mpp, mppAssumed: cascade.imageMpp === 0 };
    const stored = await Promise.all(files);
    const counts = levels.map(countsMessage);
    const image = { imageId, width, height, levels: counts, computeFraction: fraction, seconds, ...resolution };
    return encode(AssembleRecord, { image, files: stored });
  },
});
