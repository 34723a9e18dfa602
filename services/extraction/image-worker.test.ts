/** @file Extract jobs from images in the store to shards, counts and shortfalls. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { readShard } from "../lib/patches/patch-shard.ts";
import { Annotation, type Cohort, MaskKind } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractRequest, type Sampling } from "../lib/proto/radhical/v1/extraction.ts";
import { ExtractRecord, ExtractTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, PATCH_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runInline, runUnit } from "../lib/service/jobs/inline.fixture.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage, storeMask } from "../lib/service/stored-images.fixture.ts";
import { openCutters } from "./cutters.ts";
import { extractJobs } from "./extract.ts";
import { imageWorker } from "./image-worker.ts";

const SIDE = 80;
/** One nucleus, 12 pixels square. */
const isNucleus = (x: number, y: number): boolean => x >= 30 && x < 42 && y >= 30 && y < 42;

async function startExtraction(t: TestContext) {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e6);
  const imageId = await storeImage(objects, SIDE, SIDE, (x, y) =>
    isNucleus(x, y) ? [90, 40, 140] : [230, 180, x + y],
  );
  const maskId = await storeMask(objects, SIDE, SIDE, (x, y) => (isNucleus(x, y) ? 1 : 0));
  const members = [{ imageId, maskId, patient: 0 }];
  const annotation = Annotation.ANNOTATION_COMPLETE;
  const cohort: Cohort = { members, annotation, maskKind: MaskKind.MASK_KIND_LABELS, mpp: 0.25 };
  const cohortId = contentId("cohort");
  await createDocument(objects, COHORT, cohortId, cohort);
  const cutters = openCutters();
  t.after(cutters.stop);
  const context = { objects, images, cutters, workers: 1 };
  const requestOf = (changes: Partial<Sampling> = {}): ExtractRequest =>
    ExtractRequest.fromPartial({
      requestId: "x",
      cohortId,
      sampling: {
        reductions: [1, 4],
        positive: 20,
        edge: 10,
        background: 5,
        nucleus: 6,
        mixed: 100,
        none: 4,
        ...changes,
      },
    });
  return { objects, imageId, jobs: extractJobs(context), worker: imageWorker(context), requestOf };
}

test("the table counts what the shards hold, and the note says what was too little", async (t) => {
  const { objects, imageId, jobs, worker, requestOf } = await startExtraction(t);
  const { id, note } = await runInline(objects, jobs, worker, requestOf());
  const { statistics, members } = await readDocument(objects, PATCH_SET, id);
  const { levels } = await readRecord(objects, ExtractRecord, members[0]!.recordKey);
  for (const { level, shardKey } of levels) {
    const patches = readShard(await objects.get(shardKey));
    const byLabel = [0, 1, 2].map((label) => BigInt(patches.filter((patch) => patch.label === label).length));
    const row = statistics?.levels.find((entry) => entry.level === level);
    assert.deepEqual(row?.byLabel.concat(0n).slice(0, 3), byLabel);
    assert.deepEqual([row?.patches, row?.bytes], [BigInt(patches.length), BigInt(patches.length * 3_072)]);
    assert.ok(patches.every(({ name }) => name.startsWith(`${imageId}_`)));
  }
  assert.deepEqual(statistics?.levels[0]?.byLabel, [30n, 40n]);
  assert.deepEqual([statistics?.nuclei, statistics?.binaryMasks, statistics?.labelMasks], [1n, 0n, 1n]);
  const short = statistics?.shortfalls.find(({ kind }) => kind === "mixed");
  assert.deepEqual([short?.level, short?.wanted, short?.imageId], [2, 100n, imageId]);
  assert.match(note ?? "", /times an image had fewer candidate pixels/);
});

test("the same task writes the same bytes in another store, another seed does not", async (t) => {
  const [first, second] = [await startExtraction(t), await startExtraction(t)];
  const shardsOf = async ({ objects, jobs, worker }: typeof first, request: ExtractRequest) => {
    const [unit] = (await jobs.plan(request)).units;
    const { levels } = ExtractRecord.decode(await runUnit(objects, worker, unit!));
    return Promise.all(levels.map(({ shardKey }) => objects.get(shardKey)));
  };
  const shards = await shardsOf(first, first.requestOf());
  assert.deepEqual(await shardsOf(second, second.requestOf()), shards);
  assert.notDeepEqual(await shardsOf(second, second.requestOf({ seed: 2n })), shards);
});

test("sampling that cannot be is refused before a job is made", async (t) => {
  const { jobs, requestOf } = await startExtraction(t);
  await assert.rejects(jobs.plan(requestOf({ edge: -1 })), { reason: "SAMPLING_INVALID", message: /-1 edge/ });
  const many = { positive: 200_000, background: 300_000 };
  const refusal = { reason: "SAMPLING_INVALID", message: /positive, edge, background.* at most 400000/ };
  await assert.rejects(jobs.plan(requestOf(many)), refusal);
  await assert.rejects(jobs.plan(requestOf({ reductions: [] })), { kind: "invalidArgument" });
  await assert.rejects(jobs.plan({ ...requestOf(), sampling: undefined }), { reason: "SAMPLING_INVALID" });
  await assert.rejects(jobs.plan({ ...requestOf(), cohortId: contentId("other") }), { reason: "COHORT_NOT_FOUND" });
});

test("an image that cannot be read any more is an expected failure", async (t) => {
  const { objects, imageId, jobs, worker, requestOf } = await startExtraction(t);
  const [unit] = (await jobs.plan(requestOf())).units;
  await objects.put(`images/${imageId}/source`, Buffer.from("no image"));
  await assert.rejects(runUnit(objects, worker, unit!), { name: "DomainError", kind: "invalidArgument" });
  await objects.delete(`images/${imageId}/source`);
  await assert.rejects(runUnit(objects, worker, unit!), { name: "DomainError", kind: "notFound" });
});

test("a job that another version planned, for pixels normalised or centres drawn otherwise, is refused by the image", async (t) => {
  const { objects, imageId, jobs, worker, requestOf } = await startExtraction(t);
  const [unit] = (await jobs.plan(requestOf())).units;
  const task = ExtractTask.decode(unit!.message);
  for (const other of [{ normalisation: "" }, { samplingRule: "" }]) {
    const message = Buffer.from(encode(ExtractTask, { ...task, ...other }));
    await assert.rejects(runUnit(objects, worker, { ...unit!, message }), {
      reason: "JOB_OUTDATED",
      message: new RegExp(`"${imageId}".*extract again`),
    });
  }
});
