/** @file Lists and databases from a patch set in the store: what is listed is what the trainer and Caffe read, in which order. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { ClassicLevel } from "classic-level";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { parseList } from "../lib/patches/patch-names.ts";
import { recordAt, recordCount } from "../lib/patches/records.ts";
import { Annotation, BuildRequest, type Cohort, MaskKind, SplitRequest } from "../lib/proto/radhical/v1/datasets.ts";
import { BuildTask, PatchSet } from "../lib/proto/radhical/v1/work.ts";
import { Datum } from "../lib/proto/third_party/caffe/caffe.ts";
import { contentId, sha256 } from "../lib/service/content-id.ts";
import { COHORT, DATABASE_SET, PATCH_SET, SPLIT } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument } from "../lib/service/documents.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { runInline, runUnit } from "../lib/service/jobs/inline.fixture.ts";
import { temporaryFolder, temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";
import { buildJobs } from "./build.ts";
import { buildWorker } from "./build-worker.ts";
import { openCutters } from "./cutters.ts";
import { listWorker, splitJobs } from "./split.ts";
import { storeCentres } from "./stored-patches.fixture.ts";

const PATIENTS = 6;
const PER_PATIENT = 3;
const cohortId = contentId("cohort");
const patchSetId = contentId("patches");

/** Whether a patient's images have no nucleus that is graded. */
type IsBare = (patient: number) => boolean;

/**
 * Stores what extraction leaves of 18 images at two levels. Red tells a pixel's place in its row of 2 x 2 blocks, green odd rows of them:
 * at both levels the red of centre n is 10 n, and what is below it is green.
 */
async function storePatches(objects: ObjectStore, isBare: IsBare): Promise<Map<string, number>> {
  const patientOf = new Map<string, number>();
  const members: Cohort["members"] = [];
  const records: PatchSet["members"] = [];
  for (let i = 0; i < PATIENTS * PER_PATIENT; i++) {
    const patient = i % PATIENTS;
    const imageId = await storeImage(objects, 16, 8, (x, y) => [10 * (x >> 1), (y >> 1) % 2 === 1 ? 200 : 0, i]);
    patientOf.set(imageId, patient);
    members.push({ imageId, maskId: contentId("mask", i), patient });
    const levels = [1, 2].map((level) => {
      const labels = Uint8Array.from({ length: 4 + level }, (_, n) => n % (level + 1));
      const [xs, ys] = [Uint32Array.from(labels, (_, n) => (level === 1 ? 2 * n : n)), new Uint32Array(labels.length)];
      return { level, xs, ys: ys.fill(level === 1 ? 1 : 0), labels };
    });
    records.push({ imageId, recordKey: await storeCentres(objects, imageId, levels) });
  }
  const meaning = { annotation: Annotation.ANNOTATION_COMPLETE, maskKind: MaskKind.MASK_KIND_AUTO, mpp: 0.25 };
  await createDocument(objects, COHORT, cohortId, { members, ...meaning });
  await createDocument(
    objects,
    PATCH_SET,
    patchSetId,
    PatchSet.fromPartial({
      cohortId,
      sampling: { reductions: [1, 2] },
      members: records,
      normalisation: NORMALISATION,
      bareImageIds: members.filter(({ patient }) => isBare(patient)).map(({ imageId }) => imageId),
    }),
  );
  return patientOf;
}

async function startSplit(t: TestContext, seed = 1n, isBare: IsBare = () => false) {
  const objects = await temporaryStore(t);
  const patientOf = await storePatches(objects, isBare);
  const request = SplitRequest.fromPartial({ requestId: "split", patchSetId, folds: 3, seed });
  const { id } = await runInline(objects, splitJobs({ objects }), listWorker({ objects }), request);
  const split = await readDocument(objects, SPLIT, id);
  const listOf = async (path: string) => {
    const { key } = split.files.find((file) => file.path === path)!;
    return parseList(Buffer.from(await objects.get(key)).toString());
  };
  return { objects, patientOf, splitId: id, split, listOf };
}

test("no patient is in two parts of a fold, and the lists hold every patch of their images", async (t) => {
  const { patientOf, split, listOf } = await startSplit(t);
  assert.equal(split.files.length, 3 * 2 * 2);
  for (const { fold, train, validation, test: tested } of split.folds) {
    const parts = [train, validation, tested].map((images) => new Set(images.map((image) => patientOf.get(image))));
    assert.equal(
      parts.reduce((sum, { size }) => sum + size, 0),
      new Set(parts.flatMap((part) => [...part])).size,
    );
    for (const level of [1, 2]) {
      for (const [part, images] of Object.entries({ train, test: tested })) {
        const list = await listOf(`level-${level}/${part}_w32_${fold}.txt`);
        assert.deepEqual(new Set(list.map(({ imageId }) => imageId)), new Set(images));
        assert.equal(list.length, images.length * 2 * (4 + level));
      }
    }
  }
});

test("a split is a function of its seed", async (t) => {
  const [one, same, other] = [await startSplit(t, 1n), await startSplit(t, 1n), await startSplit(t, 2n)];
  assert.deepEqual([same.splitId, same.split], [one.splitId, one.split]);
  assert.notDeepEqual(other.split.folds, one.split.folds);
});

test("patients whose images have no nucleus that is graded never validate, and a cohort of such is refused", async (t) => {
  for (const seed of [1n, 2n, 3n]) {
    const { split, patientOf } = await startSplit(t, seed, (patient) => patient < 1);
    const validating = split.folds.flatMap(({ validation }) => validation.map((image) => patientOf.get(image)));
    assert.ok(
      validating.every((patient) => patient !== undefined && patient >= 1),
      validating.join(),
    );
  }
  await assert.rejects(
    startSplit(t, 1n, () => true),
    { kind: "invalidArgument", reason: "NO_NUCLEI", message: /none of the 18 images.*check that its mask/ },
  );
});

test("records are in list order; the train database is shuffled, the test database is not; both hold all", async (t) => {
  const { objects, splitId, listOf } = await startSplit(t);
  const request = BuildRequest.fromPartial({ requestId: "build", splitId, folds: [2, 2] });
  const cutters = openCutters();
  t.after(cutters.stop);
  const ctx = { objects, images: createImageStore(objects, 1e6), cutters, scratch: tmpdir() };
  const nowhere = { ...ctx, scratch: join(tmpdir(), "radhical-none", "below") };
  await assert.rejects(runInline(objects, buildJobs(nowhere), buildWorker(nowhere), request), {
    reason: "SCRATCH_UNUSABLE",
    message: /radhical-none.*\(TMPDIR\)/,
  });
  const { id, units } = await runInline(objects, buildJobs(ctx), buildWorker(ctx), request);
  assert.equal(units.length, 2, "a fold that is named twice is built once");
  const { records, reductions, mpp } = await readDocument(objects, DATABASE_SET, id);
  assert.deepEqual([reductions, mpp, records.length], [[1, 2], 0.25, 2]);
  for (const { train, test: tested, files, channelMeans } of records) {
    const level = train!.database!.level;
    for (const [part, stored] of Object.entries({ train, test: tested })) {
      const list = await listOf(`level-${level}/${part}_w32_2.txt`);
      const bytes = await objects.get(stored!.key);
      assert.equal(recordCount(bytes), list.length);
      const all = list.map((_, i) => recordAt(bytes, i));
      assert.deepEqual(
        all.map(({ label, pixels }) => [label, numberIn(pixels)]),
        list.map(({ label, name }) => [label, numberOf(name)]),
      );
      const { byLabel, classOfLabel, patches, recordsSha256 } = stored!.database!;
      assert.deepEqual(
        byLabel,
        classOfLabel.map((_, label) => BigInt(list.filter((patch) => patch.label === label).length)),
      );
      assert.deepEqual(
        [classOfLabel, patches, recordsSha256],
        [level === 1 ? [0, 2] : [0, 1, 2], BigInt(list.length), sha256(bytes)],
      );
      const entries = await readEntries(t, objects, files, `DB_${part}_2_${level}/`);
      const listed = list.map(({ name, label }, i) => `${name} ${label} ${numberIn(all[i]!.pixels)}`);
      assert.deepEqual(entries.toSorted(), listed.toSorted());
      assert.equal(entries.join() === listed.join(), part === "test");
      if (part === "train")
        assert.deepEqual(
          channelMeans,
          [0, 1, 2].map((c) =>
            Math.fround(mean(all.map(({ pixels }) => mean(pixels.subarray(c * PLANE, (c + 1) * PLANE))))),
          ),
        );
    }
  }
});

/** Pixels of a plane of a patch, and where the one that it classifies is. */
const [PLANE, CLASSIFIED] = [32 * 32, 16 * 32 + 16];

/** What a patch's number is by its pixels: turned by 90 degrees, what is below a pixel lies right of it. */
const numberIn = (pixels: Uint8Array, redPlane = 0): number =>
  pixels[redPlane * PLANE + CLASSIFIED]! / 5 + (pixels[PLANE + CLASSIFIED + 1]! > 0 ? 1 : 0);

/** The number of a patch within its image by its name. */
const numberOf = (name: string): number => {
  const [, centre, rotation] = name.split("_").map(Number);
  return 2 * centre! + (rotation === 90 ? 1 : 0);
};
const mean = (values: readonly number[] | Uint8Array): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
};

/** Returns name, label and number of every patch of a LevelDB whose files lie in the store, in the order of its keys. */
async function readEntries(
  t: TestContext,
  objects: ObjectStore,
  files: readonly { readonly path: string; readonly key: string }[],
  prefix: string,
): Promise<string[]> {
  const folder = join(await temporaryFolder(t), "db");
  await mkdir(folder);
  for (const { path, key } of files)
    if (path.startsWith(prefix)) await writeFile(join(folder, basename(path)), await objects.get(key));
  const database = new ClassicLevel<string, Uint8Array>(folder, { valueEncoding: "view" });
  const entries: string[] = [];
  for await (const [key, value] of database.iterator()) {
    const { label, data } = Datum.decode(value);
    // blue, green, red
    entries.push(`${key.slice(key.indexOf("_") + 1)} ${label} ${numberIn(data ?? new Uint8Array(), 2)}`);
  }
  await database.close();
  return entries;
}

test("a fold that the split has not is refused, and so is none", async (t) => {
  const { objects, splitId } = await startSplit(t);
  const plan = (folds: number[]) =>
    buildJobs({ objects }).plan(BuildRequest.fromPartial({ requestId: "x", splitId, folds }));
  await assert.rejects(plan([1, 4]), { reason: "FOLD_UNKNOWN", message: /fold 4: the split has folds 1 to 3/ });
  await assert.rejects(plan([]), { reason: "FOLDS_MISSING" });
});

test("patches of another normalisation are refused, before a job is made and by its worker", async (t) => {
  const { objects, splitId, split } = await startSplit(t);
  const request = BuildRequest.fromPartial({ requestId: "build", splitId, folds: [1] });
  const [unit] = (await buildJobs({ objects }).plan(request)).units;
  const cutters = openCutters();
  t.after(cutters.stop);
  const worker = buildWorker({ objects, images: createImageStore(objects, 1e6), cutters, scratch: tmpdir() });
  const message = Buffer.from(encode(BuildTask, { ...BuildTask.decode(unit!.message), normalisation: "other" }));
  await assert.rejects(runUnit(objects, worker, { ...unit!, message }), { reason: "JOB_OUTDATED" });
  const outdated = { ...split, patchSetId: contentId("other patches") };
  const patchSet = await readDocument(objects, PATCH_SET, patchSetId);
  await createDocument(objects, PATCH_SET, outdated.patchSetId, { ...patchSet, normalisation: "" });
  await createDocument(objects, SPLIT, contentId("other split"), outdated);
  await assert.rejects(buildJobs({ objects }).plan({ ...request, splitId: contentId("other split") }), {
    reason: "PATCH_SET_OUTDATED",
    message: /another normalisation; extract again/,
  });
});
