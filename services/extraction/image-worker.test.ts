/** @file Extract jobs from images in the store to centres, counts and shortfalls. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Annotation, type Cohort, MaskKind } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractRequest, type Sampling } from "../lib/proto/radhical/v1/extraction.ts";
import { ExtractRecord, ExtractTask, PatchCentres } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, PATCH_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runInline, runUnit } from "../lib/service/jobs/inline.fixture.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage, storeMask } from "../lib/service/stored-images.fixture.ts";
import { extractJobs } from "./extract.ts";
import { imageWorker } from "./image-worker.ts";
import { openSamplers } from "./samplers.ts";

const SIDE = 80;
/** One nucleus, 12 pixels square. */
const isNucleus = (x: number, y: number): boolean => x >= 30 && x < 42 && y >= 30 && y < 42;

async function startExtraction(t: TestContext, annotation: Annotation = Annotation.ANNOTATION_COMPLETE) {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e6);
  const imageId = await storeImage(objects, SIDE, SIDE, (x, y) =>
    isNucleus(x, y) ? [90, 40, 140] : [230, 180, x + y],
  );
  const maskId = await storeMask(objects, SIDE, SIDE, (x, y) => (isNucleus(x, y) ? 1 : 0));
  const members = [{ imageId, maskId, patient: 0 }];
  const cohort: Cohort = { members, annotation, maskKind: MaskKind.MASK_KIND_LABELS, mpp: 0.25 };
  const cohortId = contentId("cohort");
  await createDocument(objects, COHORT, cohortId, cohort);
  const samplers = openSamplers();
  t.after(samplers.stop);
  const context = { objects, images, samplers, workers: 1 };
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
  return { objects, imageId, maskId, jobs: extractJobs(context), worker: imageWorker(context), requestOf };
}

/** The places of a level's centres, in its pixels. */
const placesOf = ({ levels }: PatchCentres, level: number) => {
  const { xs, ys } = levels.find((entry) => entry.level === level)!;
  return Array.from({ length: xs.length / 4 }, (_, i) => [xs.readUInt32LE(4 * i), ys.readUInt32LE(4 * i)] as const);
};

test("the table counts the labels, and every centre is of the class that its label says", async (t) => {
  const { objects, imageId, jobs, worker, requestOf } = await startExtraction(t);
  const { id, note } = await runInline(objects, jobs, worker, requestOf());
  const { statistics, members } = await readDocument(objects, PATCH_SET, id);
  const { levels, centresKey } = await readRecord(objects, ExtractRecord, members[0]!.recordKey);
  const centres = await readRecord(objects, PatchCentres, centresKey);
  assert.deepEqual(
    centres.levels.map(({ level }) => level),
    [1, 2],
  );
  for (const { level, labels } of levels) {
    const places = placesOf(centres, level);
    assert.equal(places.length, labels.length);
    const n = level === 1 ? 1 : 4;
    for (const [i, [x, y]] of places.entries()) {
      const block = Array.from({ length: n * n }, (_, at) => isNucleus(n * x + (at % n), n * y + Math.floor(at / n)));
      const annotated = block.filter(Boolean).length;
      const label = annotated === 0 ? 0 : level > 1 && annotated === n * n ? 2 : 1;
      assert.equal(labels[i], label, `level ${level}, ${x}, ${y}`);
    }
    const byLabel = [0, 1, 2].map((label) => BigInt(2 * labels.filter((value) => value === label).length));
    const row = statistics?.levels.find((entry) => entry.level === level);
    assert.deepEqual(row?.byLabel.concat(0n).slice(0, 3), byLabel);
    assert.deepEqual([row?.patches, row?.bytes], [BigInt(2 * labels.length), BigInt(2 * labels.length * 3_072)]);
  }
  assert.deepEqual(statistics?.levels[0]?.byLabel, [30n, 40n]);
  assert.deepEqual([statistics?.nuclei, statistics?.binaryMasks, statistics?.labelMasks], [1n, 0n, 1n]);
  const short = statistics?.shortfalls.find(({ kind }) => kind === "mixed");
  assert.deepEqual([short?.level, short?.wanted, short?.imageId], [2, 100n, imageId]);
  assert.match(note ?? "", /times an image had fewer candidate pixels/);
});

test("the same task writes the same bytes in another store, another seed does not", async (t) => {
  const [first, second] = [await startExtraction(t), await startExtraction(t)];
  const centresOf = async ({ objects, jobs, worker }: typeof first, request: ExtractRequest) => {
    const [unit] = (await jobs.plan(request)).units;
    const record = await runUnit(objects, worker, unit!);
    const { centresKey } = ExtractRecord.decode(record);
    return { record: Buffer.from(record), centres: await objects.get(centresKey) };
  };
  const drawn = await centresOf(first, first.requestOf());
  assert.deepEqual(await centresOf(second, second.requestOf()), drawn);
  assert.notDeepEqual((await centresOf(second, second.requestOf({ seed: 2n }))).centres, drawn.centres);
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

test("an image or a mask that cannot be read any more is an expected failure", async (t) => {
  const { objects, imageId, maskId, jobs, worker, requestOf } = await startExtraction(t, Annotation.ANNOTATION_SPARSE);
  const [unit] = (await jobs.plan(requestOf())).units;
  for (const id of [imageId, maskId]) {
    const file = await objects.get(`images/${id}/source`);
    await objects.put(`images/${id}/source`, Buffer.from("no image"));
    await assert.rejects(runUnit(objects, worker, unit!), { name: "DomainError", kind: "invalidArgument" });
    await objects.delete(`images/${id}/source`);
    await assert.rejects(runUnit(objects, worker, unit!), { name: "DomainError", kind: "notFound" });
    await objects.put(`images/${id}/source`, file);
  }
  await runUnit(objects, worker, unit!);
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
