/** @file What evaluate jobs plan. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EvaluateRequest } from "../lib/proto/radhical/v1/inference.ts";
import { LevelTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { EVALUATION } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeModelDocument } from "../lib/service/stored-models.fixture.ts";
import { evaluateJobs } from "./evaluate.ts";

test("an image that is named twice is evaluated once, and counts once in what is tuned on it", async (t) => {
  const objects = await temporaryStore(t);
  const modelId = contentId("model");
  await storeModelDocument(objects, modelId);
  const images = { describe: async () => ({ width: 600, height: 400 }) as never };
  const { plan, finish } = evaluateJobs({ objects, images });
  const [one, other] = [contentId("one"), contentId("other")];
  const levels = [{ level: 1, reduction: 1, modelId, mpp: 0.25 }];
  const requestOf = (imageIds: string[]) => EvaluateRequest.fromPartial({ imageIds, levels });
  const [once, twice] = [await plan(requestOf([one, other])), await plan(requestOf([one, other, one]))];
  assert.equal(twice.resultId, once.resultId);
  const evaluated = Array.from(twice.units, ({ message }) => {
    const { work } = LevelTask.decode(message);
    return work?.$case === "evaluate" ? work.value.imageId : "";
  });
  assert.deepEqual(evaluated, [one, other]);
  await finish(requestOf([one, other, one]), twice.resultId, (async function* () {})(), async () => undefined);
  assert.deepEqual((await readDocument(objects, EVALUATION, twice.resultId)).imageIds, [one, other]);
});
