/** @file Tune and grade jobs on documents in the store. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodePng } from "../lib/images/encode-png.ts";
import { Annotation, type Cohort, MaskKind } from "../lib/proto/radhical/v1/datasets.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import { TuneRequest } from "../lib/proto/radhical/v1/tuning.ts";
import { Segmentation, TuneTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, EVALUATION, GRADES, SEGMENTATION, SPLIT, TUNING } from "../lib/service/document-kinds.ts";
import { createDocument, readDocument } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runInline, runUnit } from "../lib/service/jobs/inline.fixture.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { mapKey } from "../lib/service/map-keys.ts";
import { storeImage, storeMask } from "../lib/service/stored-images.fixture.ts";
import { storeModelDocument } from "../lib/service/stored-models.fixture.ts";
import { gradeJobs, gradeWorker } from "./grade.ts";
import { membersOf, tuneJobs } from "./tune.ts";
import { tuneWorker } from "./tune-worker.ts";

const SIDE = 96;
const TILE = 500;
/** Two nuclei, each 20 x 20. */
const labelAt = (x: number, y: number): number => {
  if (y < 30 || y >= 50) return 0;
  return x >= 20 && x < 40 ? 1 : x >= 60 && x < 80 ? 2 : 0;
};
const ids = { cohortId: contentId("cohort"), splitId: contentId("split"), evaluationId: contentId("evaluation") };

/** Stores a validation image and a test image, and maps of the first that are right at both levels. */
async function startTuning(
  t: TestContext,
  evaluated: readonly ("validation" | "test")[] = ["validation"],
  trainedFor: Partial<Model> = { fold: 1, splitId: ids.splitId },
) {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e7);
  const imageIds = {
    validation: await storeImage(objects, SIDE, SIDE, (x, y) => [x, y, 1]),
    test: await storeImage(objects, SIDE, SIDE, (x, y) => [x, y, 2]),
  };
  const maskId = await storeMask(objects, SIDE, SIDE, labelAt);
  const members = [imageIds.validation, imageIds.test].map((imageId, patient) => ({ imageId, maskId, patient }));
  const cohort: Cohort = {
    members,
    annotation: Annotation.ANNOTATION_COMPLETE,
    maskKind: MaskKind.MASK_KIND_LABELS,
    mpp: 0.25,
  };
  await createDocument(objects, COHORT, ids.cohortId, cohort);
  const fold = {
    fold: 1,
    train: [],
    validation: [imageIds.validation],
    test: [imageIds.test],
    reported: [imageIds.test],
  };
  await createDocument(objects, SPLIT, ids.splitId, { patchSetId: "", seed: 1n, folds: [fold], files: [] });
  const levels = [1, 2].map((level) => ({ level, reduction: level, modelId: contentId("model", level), mpp: 0.25 }));
  for (const level of levels) {
    const model = Model.fromPartial({ ...level, ...trainedFor });
    await storeModelDocument(objects, level.modelId, { model });
    const side = SIDE / level.reduction;
    const map = new Float32Array(3 * side * side);
    for (let i = 0; i < side * side; i++) {
      const inside = labelAt(level.reduction * (i % side), level.reduction * Math.floor(i / side)) > 0;
      map[i] = inside ? 0.1 : 0.9;
      map[2 * side * side + i] = inside ? 0.9 : 0.1;
    }
    const identity = { imageId: imageIds.validation, level, reductions: [1, 2], tile: TILE };
    await objects.put(mapKey(identity, 0), new Uint8Array(map.buffer));
  }
  const evaluation = { imageIds: evaluated.map((part) => imageIds[part]), levels, tile: TILE };
  await createDocument(objects, EVALUATION, ids.evaluationId, evaluation);
  const context = { objects, images, workers: 2 };
  const requestOf = (changes: Partial<TuneRequest> = {}) =>
    TuneRequest.fromPartial({ requestId: "x", ...ids, fold: 1, maxHolePx: 150, ...changes });
  return { context, objects, cohort, imageIds, requestOf };
}

test("on maps that are right, the chosen cascade is right at less than the dense cost", async (t) => {
  const { context, objects, requestOf } = await startTuning(t);
  const { id } = await runInline(objects, tuneJobs(context), tuneWorker(context), requestOf());
  const { chosen, dense } = await readDocument(objects, TUNING, id);
  const finest = chosen.find(({ endsAt }) => endsAt === 1)!;
  assert.equal(dense?.score, 1);
  assert.ok(
    finest.score >= 0.99 && finest.computeFraction < 1,
    JSON.stringify(finest, (_, v) => String(v)),
  );
});

test("a level that must accept nothing has no upper threshold in any point, and would have one otherwise", async (t) => {
  const { context, objects, requestOf } = await startTuning(t);
  const uppersAtLevelTwo = async (withoutUpper: number[]) => {
    const { id } = await runInline(objects, tuneJobs(context), tuneWorker(context), requestOf({ withoutUpper }));
    const { chosen, greedy, dense, tradeoff } = await readDocument(objects, TUNING, id);
    const points = [...chosen, ...greedy, dense!, ...tradeoff];
    return new Set(points.map(({ levels }) => levels.find(({ level }) => level === 2)?.upper));
  };
  assert.ok((await uppersAtLevelTwo([])).size > 1);
  assert.deepEqual([...(await uppersAtLevelTwo([2]))], [undefined]);
  await assert.rejects(uppersAtLevelTwo([3]), { reason: "TUNING_INVALID", message: /level 3/ });
});

test("nor has a level whose model has seen too little of a class, whoever asks", async (t) => {
  const trained = { fold: 1, splitId: ids.splitId, rareClasses: [1] };
  const { context, requestOf } = await startTuning(t, ["validation"], trained);
  const [unit] = (await tuneJobs(context).plan(requestOf())).units;
  assert.deepEqual(TuneTask.decode(unit!.message).withoutUpper, [1, 2]);
});

test("a model is tuned as what it was trained for, or not at all", async (t) => {
  const trained = { fold: 1, splitId: ids.splitId, reduction: 4 };
  const { context, requestOf } = await startTuning(t, ["validation"], trained);
  await assert.rejects(tuneJobs(context).plan(requestOf()), {
    reason: "LEVELS_INVALID",
    message: /as level 1, reduction 1, 0\.25 um\/px: it was trained for level 1, reduction 4, 0\.25 um\/px$/,
  });
});

test("a tuning that is cancelled ends in the middle, by the reason of its signal", async (t) => {
  const { context, objects, requestOf } = await startTuning(t);
  const { units } = await tuneJobs(context).plan(requestOf());
  const [unit] = [...units];
  const cancel = new AbortController();
  const cancelled = new Error("cancelled");
  let told = 0;
  // the first is told when the image is read, the second by the search
  const progress = async (): Promise<void> => void (++told === 2 && cancel.abort(cancelled));
  const tuning = runUnit(objects, tuneWorker(context), unit!, { signal: cancel.signal, progress });
  await assert.rejects(tuning, cancelled);
  assert.equal(told, 2);
});

test("a budget is kept, and one that no point keeps is an error", async (t) => {
  const { context, objects, requestOf } = await startTuning(t);
  const tune = (value: number) => {
    const request = requestOf({ wish: { $case: "maxComputeFraction", value } });
    return runInline(objects, tuneJobs(context), tuneWorker(context), request);
  };
  const { chosen } = await readDocument(objects, TUNING, (await tune(0.4)).id);
  assert.ok((chosen[0]?.computeFraction ?? 1) <= 0.4, String(chosen[0]?.computeFraction));
  await assert.rejects(tune(1e-6), { reason: "WISH_UNREACHABLE" });
  await assert.rejects(tune(0), { reason: "TUNING_INVALID" });
  await assert.rejects(tune(10), { reason: "TUNING_INVALID", message: /all levels together compute 1\.25/ });
});

test("thresholds are never chosen on an image that is not of the fold's validation set", async (t) => {
  const { context, requestOf } = await startTuning(t, ["validation", "test"]);
  await assert.rejects(tuneJobs(context).plan(requestOf()), { name: "DomainError", reason: "TEST_LEAK" });
});

test("models of another fold or split are refused: they have seen this fold's validation or test patients", async (t) => {
  for (const trainedFor of [
    { fold: 2, splitId: ids.splitId },
    { fold: 1, splitId: contentId("another seed") },
  ]) {
    const { context, requestOf } = await startTuning(t, ["validation"], trainedFor);
    await assert.rejects(tuneJobs(context).plan(requestOf()), { name: "DomainError", reason: "MODEL_OF_OTHER_FOLD" });
  }
});

test("a fold, a hole or an id that cannot be is refused before a job is made", async (t) => {
  const { context, requestOf } = await startTuning(t);
  const plan = (changes: Partial<TuneRequest>) => tuneJobs(context).plan(requestOf(changes));
  await assert.rejects(plan({ fold: 2 }), { reason: "FOLD_UNKNOWN", message: /fold 2: the split has folds 1 to 1/ });
  await assert.rejects(plan({ maxHolePx: -1 }), { reason: "TUNING_INVALID" });
  await assert.rejects(plan({ openingPx: 51 }), { reason: "TUNING_INVALID", message: /give 0 to 50/ });
  await assert.rejects(plan({ neckPx: 51 }), { reason: "TUNING_INVALID", message: /necks of 51 pixels: give 0 to 50/ });
  await assert.rejects(plan({ minNucleusPx: -1 }), { reason: "TUNING_INVALID", message: /fewer than -1 pixels/ });
  await assert.rejects(plan({ evaluationId: contentId("other") }), { reason: "EVALUATION_NOT_FOUND" });
  await assert.rejects(plan({ splitId: "x" }), { reason: "ID_INVALID" });
});

test("only members of the cohort have an annotation", async (t) => {
  const { cohort, imageIds } = await startTuning(t);
  assert.deepEqual(membersOf(cohort, [imageIds.test, imageIds.validation]), cohort.members.toReversed());
  assert.throws(() => membersOf(cohort, [contentId("other")]), { reason: "NOT_IN_COHORT" });
});

test("an image that a model was trained for is not graded with it", async (t) => {
  const { context, objects, imageIds } = await startTuning(t);
  const segmentationId = contentId("segmentation of the validation image");
  const document = { records: [{ image: { imageId: imageIds.validation } }], modelIds: [contentId("model", 1)] };
  await createDocument(objects, SEGMENTATION, segmentationId, Segmentation.fromPartial(document));
  const request = { requestId: "x", segmentationId, cohortId: ids.cohortId };
  await assert.rejects(gradeJobs(context).plan(request), { reason: "TRAINING_LEAK", message: /image of fold 1/ });
});

test("a prediction is graded against its image's annotation, image by image", async (t) => {
  const { context, objects, imageIds } = await startTuning(t);
  const masks = {
    [imageIds.validation]: labelAt,
    [imageIds.test]: (x: number, y: number) => (x < 50 ? labelAt(x, y) : 0),
  };
  const records: Segmentation["records"] = [];
  for (const [imageId, label] of Object.entries(masks)) {
    const data = Uint8Array.from({ length: SIDE * SIDE }, (_, i) =>
      label(i % SIDE, Math.floor(i / SIDE)) > 0 ? 255 : 0,
    );
    const key = `segmentations/${imageId}`;
    await objects.put(key, await encodePng({ width: SIDE, height: SIDE, channels: 1, data }));
    records.push({ image: undefined, files: [{ path: `${imageId}_mask.png`, key }] });
  }
  const segmentationId = contentId("segmentation");
  const images = Object.keys(masks).map((imageId) => ({ imageId }));
  const document = Segmentation.fromPartial({ records: records.map((record, i) => ({ ...record, image: images[i] })) });
  await createDocument(objects, SEGMENTATION, segmentationId, document);
  const request = { requestId: "x", segmentationId, cohortId: ids.cohortId };
  const { id } = await runInline(objects, gradeJobs(context), gradeWorker(context), request);
  const { grades, images: count, nuclei } = await readDocument(objects, GRADES, id);
  assert.deepEqual([count, nuclei], [2n, 4n]);
  // One image is right, of the other one nucleus of two: detection and F are means over images.
  assert.deepEqual([grades?.detection, grades?.f, grades?.ppv], [0.75, 0.75, 0.75]);
});
