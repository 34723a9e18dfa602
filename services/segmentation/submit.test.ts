import assert from "node:assert/strict";
import { test } from "node:test";
import { Cascade, SegmentationMode } from "../lib/proto/radhical/v1/segmentation.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import { contentId } from "../lib/service/content-id.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";
import { storeModelDocument } from "../lib/service/stored-models.fixture.ts";
import { segmentJobs } from "./submit.ts";

test("a model is used at the level and resolution that it was trained for, or not at all", async (t) => {
  const objects = await temporaryStore(t);
  const imageId = await storeImage(objects, 40, 30, () => [200, 150, 200]);
  const models = [1, 2].map((level) => ({ level, reduction: level, modelId: contentId("model", level), mpp: 0.25 }));
  for (const model of models) await storeModelDocument(objects, model.modelId, { model: Model.fromPartial(model) });
  const jobs = segmentJobs({ objects, images: createImageStore(objects, 1e6) });
  const submit = (changed: typeof models) => {
    const mode = SegmentationMode.SEGMENTATION_MODE_CASCADE;
    const thresholds = [
      { level: 1, lower: 0.5 },
      { level: 2, lower: 0.1 },
    ];
    return jobs.plan({
      requestId: "",
      imageIds: [imageId],
      cascade: Cascade.fromPartial({ models: changed, mode, thresholds, maxHolePx: 1 }),
    });
  };
  await submit(models);
  const [first, second] = models as [(typeof models)[number], (typeof models)[number]];
  for (const changed of [
    [
      { ...first, modelId: second.modelId },
      { ...second, modelId: first.modelId },
    ],
    [first, { ...second, reduction: 4 }],
    models.map((model) => ({ ...model, mpp: 1 })),
  ])
    await assert.rejects(submit(changed), { reason: "LEVELS_INVALID", message: /it was trained for level/ });
});
