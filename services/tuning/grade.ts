/** @file Grade: a segmentation against the cohort's annotation (METHOD.md, Grading). One unit per image. */
import { invalid } from "../lib/errors.ts";
import { decodeMask } from "../lib/images/mask.ts";
import { gradeImage, type ImageGrades, poolGrades } from "../lib/method/grading.ts";
import { findNuclei } from "../lib/method/nuclei.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { GradeRequest } from "../lib/proto/radhical/v1/tuning.ts";
import { GradeRecord, GradeTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, GRADES, MODEL, SEGMENTATION, SPLIT } from "../lib/service/document-kinds.ts";
import { createDocument, encode, findDocument, readDocument, readRecord } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { GRADE_TOPIC } from "../lib/service/topics.ts";
import { membersOf } from "./tune.ts";

export interface GradeContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
}

/** Returns the definition of grade jobs. */
export const gradeJobs = (ctx: GradeContext): JobDefinition<GradeRequest> => ({
  kind: "grade",
  unit: "images",
  codec: GradeRequest,
  plan: async ({ segmentationId, cohortId }) => {
    const segmentation = await readDocument(ctx.objects, SEGMENTATION, segmentationId);
    const cohort = await readDocument(ctx.objects, COHORT, cohortId);
    const imageIds = segmentation.records.map(({ image }) => image?.imageId ?? "");
    const members = membersOf(cohort, imageIds);
    for (const modelId of segmentation.modelIds) await checkUnseen(ctx, modelId, imageIds);
    const units = members.map(({ imageId, maskId }, i) => {
      const predictionKey = segmentation.records[i]?.files.find(({ path }) => path.endsWith("_mask.png"))?.key ?? "";
      const task = { imageId, maskId, maskKind: cohort.maskKind, predictionKey };
      const outputKey = objectKey("grade-records", contentId(encode(GradeTask, task)));
      return planUnit({ topic: GRADE_TOPIC, key: imageId, codec: GradeTask, task, outputKey });
    });
    return { resultId: contentId("grades", ...units.map(({ outputKey }) => outputKey)), units };
  },
  finish: async (_request, id, units, progress) => {
    const images: ImageGrades[] = [];
    for await (const { outputKey } of units) {
      // What gradeUnit wrote, read back by the same version or one that knows its fields.
      images.push(JSON.parse((await readRecord(ctx.objects, GradeRecord, outputKey)).json) as ImageGrades);
      await progress();
    }
    const { images: count, nuclei, ...grades } = poolGrades(images);
    await createDocument(ctx.objects, GRADES, id, { grades, images: BigInt(count), nuclei: BigInt(nuclei) });
    return undefined;
  },
});

/**
 * Throws TRAINING_LEAK for an image that a model was trained on, or that its fold's thresholds are chosen on. A model whose split is not in
 * this store was trained elsewhere: nothing is known of its images.
 */
async function checkUnseen({ objects }: GradeContext, modelId: string, imageIds: readonly string[]): Promise<void> {
  const { model } = await readDocument(objects, MODEL, modelId);
  const split = model?.splitId ? await findDocument(objects, SPLIT, model.splitId) : undefined;
  const own = split?.folds.find(({ fold }) => fold === model?.fold);
  if (!own) return;
  const seen = new Set([...own.train, ...own.validation]);
  const image = imageIds.find((imageId) => seen.has(imageId));
  if (image === undefined) return;
  const why = `it is a training or validation image of fold ${own.fold}, which the model of level ${model?.level} was trained for`;
  throw invalid("TRAINING_LEAK", `Cannot grade image "${image}": ${why}; grade test images of that fold`);
}

/** Returns the worker of grade jobs. */
export const gradeWorker = (ctx: GradeContext): UnitHandler<GradeTask> => ({
  topics: [GRADE_TOPIC],
  members: 2,
  codec: GradeTask,
  handle: async ({ maskId, maskKind, predictionKey }, unit) => {
    const annotation = await ctx.images.mask(maskId, maskKind);
    await unit.progress();
    const prediction = await decodeMask(await ctx.objects.get(predictionKey), "binary");
    const nuclei = findNuclei(annotation.labels, annotation.width, annotation.height, annotation.kind);
    await unit.progress();
    const grades = gradeImage(Uint8Array.from(prediction.labels), nuclei);
    return encode(GradeRecord, { json: JSON.stringify(grades) });
  },
});
