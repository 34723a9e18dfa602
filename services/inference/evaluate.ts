/** @file Evaluate: every pixel of some levels of some images, one unit per tile and level. */
import { invalid } from "../lib/errors.ts";
import { tileGrid } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { EvaluateRequest } from "../lib/proto/radhical/v1/inference.ts";
import { LevelTask, type PlannedUnit } from "../lib/proto/radhical/v1/work.ts";
import { checkLevels, tileSide } from "../lib/service/cascade-plan.ts";
import { contentId } from "../lib/service/content-id.ts";
import { EVALUATION } from "../lib/service/document-kinds.ts";
import { createDocument } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import { type MapIdentity, mapKey } from "../lib/service/map-keys.ts";
import { readUsableModel } from "../lib/service/stored-models.ts";
import { levelTopic } from "../lib/service/topics.ts";

export interface EvaluateContext {
  readonly objects: ObjectStore;
  readonly images: Pick<ImageStore, "describe">;
}

/** An image that is named twice would count twice in the score that thresholds are chosen by. */
const unique = (imageIds: readonly string[]): string[] => [...new Set(imageIds)];

/** Returns the definition of evaluate jobs. */
export const evaluateJobs = (ctx: EvaluateContext): JobDefinition<EvaluateRequest> => ({
  kind: "evaluate",
  unit: "tiles",
  codec: EvaluateRequest,
  plan: async ({ imageIds: named, levels: given, tile: wanted }) => {
    const imageIds = unique(named);
    if (imageIds.length === 0) throw invalid("IMAGES_MISSING", "Cannot evaluate no image; name at least one");
    const levels = checkLevels(given);
    const reductions = levels.map(({ reduction }) => reduction);
    const tile = tileSide(wanted, reductions);
    // Not as the level it was trained for: on images that are a level's own pixels its model is level 1 (verify does so).
    for (const { modelId } of levels) await readUsableModel(ctx.objects, modelId);
    const images: { readonly imageId: string; readonly width: number; readonly height: number }[] = [];
    for (const imageId of imageIds) {
      const { width, height } = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
      images.push({ imageId, width, height });
    }
    const models = levels.map((level) => `${level.level}:${level.reduction}:${level.mpp}:${level.modelId}`);
    return {
      resultId: contentId("evaluation", tile, ...models, "images", ...imageIds),
      units: {
        *[Symbol.iterator]() {
          for (const image of images) {
            for (const level of levels) {
              for (const [n, rect] of tileGrid(image.width, image.height, tile).entries())
                yield tileUnit({ imageId: image.imageId, level, reductions, tile }, n, rect);
            }
          }
        },
      },
    };
  },
  finish: async ({ imageIds: named, levels: given, tile }, id) => {
    const levels = checkLevels(given);
    const side = tileSide(
      tile,
      levels.map(({ reduction }) => reduction),
    );
    await createDocument(ctx.objects, EVALUATION, id, { imageIds: unique(named), levels, tile: side });
    return undefined;
  },
});

/** Tile number `n` of a map. */
function tileUnit(map: MapIdentity, n: number, rect: Rect): PlannedUnit {
  const { imageId, level, reductions } = map;
  return planUnit({
    topic: levelTopic(level.level),
    key: `${imageId}-${level.level}-${n}`,
    codec: LevelTask,
    task: LevelTask.fromPartial({
      work: { $case: "evaluate", value: { imageId, level, reductions: [...reductions], ...rect } },
    }),
    outputKey: mapKey(map, n),
  });
}
