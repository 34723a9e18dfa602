/** @file Submit: tiles go down the level topics; when an image's tiles are done, they are joined (METHOD.md 7). */
import { invalid } from "../lib/errors.ts";
import { tileGrid } from "../lib/method/blocks.ts";
import { levelOnePx } from "../lib/method/resolution.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { Cascade, SubmitRequest } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask, LevelTask, type PlannedUnit } from "../lib/proto/radhical/v1/work.ts";
import { planCascade } from "../lib/service/cascade-plan.ts";
import { contentId } from "../lib/service/content-id.ts";
import { MODEL, SEGMENTATION } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import { statesFolder } from "../lib/service/tile-state.ts";
import { ASSEMBLE_TOPIC, levelTopic } from "../lib/service/topics.ts";

export interface SubmitContext {
  readonly objects: ObjectStore;
  readonly images: Pick<ImageStore, "describe">;
}

/** Returns the definition of segmentation jobs. */
export const segmentJobs = (ctx: SubmitContext): JobDefinition<SubmitRequest> => ({
  kind: "segment",
  unit: "tiles",
  codec: SubmitRequest,
  plan: async ({ imageIds, cascade: given }) => {
    if (imageIds.length === 0) throw invalid("IMAGES_MISSING", "Cannot segment no image; name at least one");
    if (!given) throw invalid("CASCADE_MISSING", "Cannot segment without a cascade");
    const plan = planCascade(given);
    if (given.maxHolePx < 0)
      throw invalid("CASCADE_INVALID", `Cannot fill holes of at most ${given.maxHolePx} pixels: give 0 or more`);
    for (const { modelId } of plan.levels) await readDocument(ctx.objects, MODEL, modelId);
    const cascade = { ...given, tile: plan.tile };
    const units: PlannedUnit[] = [];
    for (const imageId of new Set(imageIds)) {
      const { width, height } = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
      const tiles = tileGrid(levelOnePx(width, plan.scale), levelOnePx(height, plan.scale), plan.tile);
      // One by one: a call cannot take the tiles of many slides as arguments.
      for (const unit of imageUnits(imageId, cascade, plan.levels[0]?.level ?? 1, tiles)) units.push(unit);
    }
    const images = units.filter(({ topic }) => topic === ASSEMBLE_TOPIC);
    return { resultId: contentId("segmentation", ...images.map(({ outputKey }) => outputKey)), units };
  },
  finish: async ({ cascade }, id, units, progress) => {
    const records: AssembleRecord[] = [];
    for (const { topic, outputKey } of units) {
      if (topic !== ASSEMBLE_TOPIC) continue;
      records.push(await readRecord(ctx.objects, AssembleRecord, outputKey));
      await progress();
    }
    await createDocument(ctx.objects, SEGMENTATION, id, {
      records,
      modelIds: (cascade?.models ?? []).map(({ modelId }) => modelId),
    });
    // Every image has its record: no level asks for a tile's state any more. Tile results stay: they hold P2 as float32.
    for (const unit of units) {
      if (unit.topic !== ASSEMBLE_TOPIC) continue;
      const { prefix } = AssembleTask.decode(unit.message);
      for await (const { key } of ctx.objects.list(`${statesFolder(prefix)}/`)) {
        await ctx.objects.delete(key);
        await progress();
      }
    }
    return undefined;
  },
});

type Tile = ReturnType<typeof tileGrid>[number];

/** An image's tiles, and the joining of them that waits for all. */
function imageUnits(imageId: string, cascade: Cascade, level: number, tiles: readonly Tile[]): PlannedUnit[] {
  const prefix = objectKey("segmentations", contentId("segmentation", imageId, encode(Cascade, cascade)));
  const units = tiles.map((rect, tile) =>
    planUnit({
      topic: levelTopic(level),
      key: `${prefix}/${tile}`,
      codec: LevelTask,
      task: LevelTask.fromPartial({
        work: { $case: "cascade", value: { imageId, cascade, ...rect, tile, prefix, level } },
      }),
      outputKey: objectKey(prefix, "tiles", String(tile)),
      group: prefix,
    }),
  );
  const task = { imageId, cascade, prefix };
  const outputKey = objectKey(prefix, "image", "record");
  units.push(
    planUnit({ topic: ASSEMBLE_TOPIC, key: prefix, codec: AssembleTask, task, outputKey, amount: 0, after: prefix }),
  );
  return units;
}
