import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { importFile } from "../services/cli/transfer.ts";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { ImportPurpose } from "../services/lib/proto/radhical/v1/datasets.ts";
import { JobState } from "../services/lib/proto/radhical/v1/jobs.ts";
import { SegmentationMode } from "../services/lib/proto/radhical/v1/segmentation.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import { seededLevels } from "./rpc-jobs.fixture.ts";
import { healthOf, serveAll } from "./serving.fixture.ts";
import { makeTissue } from "./synthetic-tissue.ts";

test("health and jobs are answered while a network computes", async (t) => {
  const { serving, services } = await serveAll(t, { RADHICAL_WORKERS: "1" });
  const path = join(await temporaryFolder(t), "image.png");
  // One block: one session run from its first pixel to its last.
  const { image } = makeTissue({ width: 500, height: 500, seed: 1 });
  await writeFile(path, await encodePng({ ...image, channels: 3 }));
  const { imageId } = await importFile(services, path, ImportPurpose.IMPORT_PURPOSE_IMAGE);
  const models = await seededLevels(services);
  const cascade = { models, thresholds: [{ level: 1, lower: 0.5 }], mode: SegmentationMode.SEGMENTATION_MODE_DENSE };
  const isHealthy = healthOf(t, serving.address);
  assert.equal(await isHealthy(), true);

  const { job } = await services.segmentation.submit({ requestId: "dense", imageIds: [imageId], cascade });
  const answeredMs = [performance.now()];
  let current = job;
  while (current && current.state !== JobState.JOB_STATE_SUCCEEDED) {
    assert.notEqual(current.state, JobState.JOB_STATE_FAILED, current.reason);
    assert.equal(await isHealthy(), true);
    current = (await services.jobs("segmentation").getJob({ jobId: current.id })).job;
    answeredMs.push(performance.now());
  }
  const { images } = await services.segmentation.getResult({ segmentationId: current?.resultId ?? "" });
  const runMs = 1_000 * (images[0]?.seconds ?? 0);
  const longestMs = Math.max(...answeredMs.slice(1).map((ms, i) => ms - (answeredMs[i] ?? ms)));
  // No speed is asked for: if the run held the main thread, no answer could come before its end, however long that is.
  assert.ok(longestMs < runMs / 2, `no answer for ${longestMs} ms of a run of ${runMs} ms`);
  assert.ok(answeredMs.length > 5, `${answeredMs.length} answers`);
});
