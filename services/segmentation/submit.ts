/** @file Submit: tiles go down the level topics; when an image's tiles are done, they are joined (METHOD.md 7). */
import { invalid } from "../lib/errors.ts";
import { tileGrid } from "../lib/method/blocks.ts";
import { checkCleaning } from "../lib/method/cleaning.ts";
import { levelOnePx } from "../lib/method/resolution.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { Cascade, SubmitRequest } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask, LevelTask, type PlannedUnit } from "../lib/proto/radhical/v1/work.ts";
import { planCascade } from "../lib/service/cascade-plan.ts";
import { contentId } from "../lib/service/content-id.ts";
import { SEGMENTATION } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readRecord } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import { readLevelModel } from "../lib/service/stored-models.ts";
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
    checkCleaning(given, "CASCADE_INVALID");
    for (const level of plan.levels) await readLevelModel(ctx.objects, level);
    const cascade = { ...given, tile: plan.tile };
    const images: PlannedImage[] = [];
    for (const imageId of new Set(imageIds)) {
      const { width, height } = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
      const prefix = objectKey("segmentations", contentId("marked decisions", imageId, encode(Cascade, cascade)));
      images.push({ imageId, prefix, width: levelOnePx(width, plan.scale), height: levelOnePx(height, plan.scale) });
    }
    const coarsest = plan.levels[0]?.level ?? 1;
    return {
      resultId: contentId("segmentation", ...images.map(({ prefix }) => recordKey(prefix))),
      units: {
        *[Symbol.iterator]() {
          for (const image of images) yield* imageUnits(image, cascade, coarsest);
        },
      },
    };
  },
  finish: async ({ cascade }, id, units, progress) => {
    const records: AssembleRecord[] = [];
    for await (const { topic, outputKey } of units) {
      await progress();
      if (topic === ASSEMBLE_TOPIC) records.push(await readRecord(ctx.objects, AssembleRecord, outputKey));
    }
    await createDocument(ctx.objects, SEGMENTATION, id, {
      records,
      modelIds: (cascade?.models ?? []).map(({ modelId }) => modelId),
    });
    return undefined;
  },
});

/** An image as its tiles are planned. */
interface PlannedImage {
  readonly imageId: string;
  /** Where its segmentation lies. */
  readonly prefix: string;
  /** Level-1 pixels. */
  readonly width: number;
  readonly height: number;
}

const recordKey = (prefix: string): string => objectKey(prefix, "image", "record");

/** Yields an image's tiles, and the joining of them that waits for all. One by one: a job may have a million. */
function* imageUnits(
  { imageId, prefix, width, height }: PlannedImage,
  cascade: Cascade,
  level: number,
): Generator<PlannedUnit> {
  for (const [tile, rect] of tileGrid(width, height, cascade.tile).entries()) {
    yield planUnit({
      topic: levelTopic(level),
      key: `${prefix}/${tile}`,
      codec: LevelTask,
      task: LevelTask.fromPartial({
        work: { $case: "cascade", value: { imageId, cascade, ...rect, tile, prefix, level } },
      }),
      outputKey: objectKey(prefix, "tiles", String(tile)),
      group: prefix,
    });
  }
  yield planUnit({
    topic: ASSEMBLE_TOPIC,
    key: prefix,
    codec: AssembleTask,
    task: { imageId, cascade, prefix },
    outputKey: recordKey(prefix),
    amount: 0,
    after: prefix,
  });
}
