/** @file Imports and cohorts: stored once, checked first. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { encodePng } from "../lib/images/encode-png.ts";
import { readHeader } from "../lib/images/image-header.ts";
import { openImage } from "../lib/images/image-source.ts";
import { isTiled } from "../lib/images/tiff-tags.ts";
import {
  Annotation,
  type Cohort,
  type CohortMember,
  ImportPurpose,
  MaskKind,
} from "../lib/proto/radhical/v1/datasets.ts";
import { sha256, shortId } from "../lib/service/content-id.ts";
import { COHORT } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { sendUpload } from "../lib/service/files.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { createCohort } from "./create-cohort.ts";
import { importImage } from "./import-image.ts";

const { IMPORT_PURPOSE_IMAGE: IMAGE, IMPORT_PURPOSE_MASK: MASK, IMPORT_PURPOSE_UNSPECIFIED: NONE } = ImportPurpose;

const png = (width: number, height: number, channels: 1 | 3, seed = 1) =>
  encodePng({
    width,
    height,
    channels,
    data: Uint8Array.from({ length: width * height * channels }, (_, i) => i * seed),
  });

async function startDatasets(t: TestContext) {
  const objects = await temporaryStore(t);
  const images = createImageStore(objects, 1e8);
  const take = importImage({ objects, config: { limits: { uploadBytes: 10_000_000, imagePixels: 5_000_000 } } });
  const upload = (bytes: Uint8Array, purpose: ImportPurpose) => take(sendUpload(bytes, { purpose }));
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of objects.list("")) found.push(key);
    return found;
  };
  return { objects, images, upload, keys, create: createCohort({ objects, images }) };
}

test("a file is stored once, under the hash of its bytes, for each purpose", async (t) => {
  const { upload, keys } = await startDatasets(t);
  const file = await png(40, 30, 1);
  const first = await upload(file, IMAGE);
  assert.deepEqual(first, { imageId: shortId(sha256(file)), width: 40, height: 30, alreadyPresent: false });
  assert.deepEqual(await upload(file, IMAGE), { ...first, alreadyPresent: true });
  assert.deepEqual(await upload(file, MASK), first);
  assert.deepEqual(await keys(), [
    `images/${first.imageId}/image-mean-density-3`,
    `images/${first.imageId}/mask`,
    `images/${first.imageId}/source`,
  ]);
});

test("a refused file leaves nothing behind", async (t) => {
  const { upload, keys } = await startDatasets(t);
  const good = await png(40, 30, 3);
  const refused: [Uint8Array, ImportPurpose, string][] = [
    [Buffer.from("no image"), IMAGE, "IMAGE_UNSUPPORTED"],
    [new Uint8Array(), IMAGE, "IMAGE_UNREADABLE"],
    [good.subarray(0, good.length - 40), IMAGE, "IMAGE_UNREADABLE"],
    [good, MASK, "IMAGE_UNSUPPORTED"],
    [good, NONE, "PURPOSE_MISSING"],
    [await png(2_500, 2_500, 1), IMAGE, "IMAGE_TOO_LARGE"],
  ];
  for (const [bytes, purpose, reason] of refused) await assert.rejects(upload(bytes, purpose), { reason });
  assert.deepEqual(await keys(), []);
});

test("a large image gets a tiled copy of exactly the same pixels, a mask does not", async (t) => {
  const { objects, upload, images } = await startDatasets(t);
  const file = await png(2_200, 2_000, 3, 7);
  const { imageId } = await upload(file, IMAGE);
  const { pixelsKey } = await images.describe(imageId, IMAGE);
  const tiled = await objects.get(pixelsKey);
  assert.ok(isTiled(tiled) && (await readHeader(tiled, "image")).format === "tiff");
  const rect = { x: 1_990, y: 1_900, width: 200, height: 90 };
  const original = await (await openImage(file)).readRegion(rect);
  assert.deepEqual(Buffer.from((await (await openImage(tiled)).readRegion(rect)).data), Buffer.from(original.data));
  const mask = await upload(await png(2_200, 2_000, 1), MASK);
  assert.equal((await images.describe(mask.imageId, MASK)).pixelsKey, `images/${mask.imageId}/source`);
});

test("the same section stained half as strongly is read as the same pixels", async (t) => {
  const { upload, images } = await startDatasets(t);
  const pixels = async (file: Uint8Array): Promise<Uint8Array> => {
    const { imageId } = await upload(file, IMAGE);
    return (await (await images.open(imageId)).readRegion({ x: 0, y: 0, width: 64, height: 48 })).data;
  };
  const white = [235, 228, 237];
  const glass = (i: number): boolean => i < 3 * 64;
  const section = Uint8Array.from({ length: 3 * 64 * 48 }, (_, i) =>
    glass(i) ? white[i % 3]! : Math.round((white[i % 3]! * (90 + ((i * 37) % 160))) / 255),
  );
  const paler = section.map((value, i) => Math.round(white[i % 3]! * Math.sqrt(value / white[i % 3]!)));
  const encoded = (data: Uint8Array) => encodePng({ width: 64, height: 48, channels: 3, data });
  const [strong, weak] = [await pixels(await encoded(section)), await pixels(await encoded(paler))];
  assert.notDeepEqual(Buffer.from(strong), Buffer.from(section));
  assert.ok(strong.every((value, i) => Math.abs(value - weak[i]!) <= 3));
});

test("a cohort is checked member by member, and its order is no matter", async (t) => {
  const { objects, upload, create } = await startDatasets(t);
  const idOf = async (file: Uint8Array, purpose: ImportPurpose) => (await upload(file, purpose)).imageId;
  const [a, b] = [await idOf(await png(40, 30, 3, 1), IMAGE), await idOf(await png(40, 30, 3, 2), IMAGE)];
  const [mask, small] = [await idOf(await png(40, 30, 1), MASK), await idOf(await png(40, 29, 1), MASK)];
  const cohortOf = (members: CohortMember[], changes: Partial<Cohort> = {}) => {
    const meaning = { annotation: Annotation.ANNOTATION_COMPLETE, maskKind: MaskKind.MASK_KIND_AUTO, mpp: 0.25 };
    return create({ cohort: { members, ...meaning, ...changes } });
  };
  const [first, second] = [
    { imageId: a, maskId: mask, patient: 0 },
    { imageId: b, maskId: mask, patient: 1 },
  ];
  const { cohortId } = await cohortOf([first, second]);
  assert.equal((await cohortOf([second, first])).cohortId, cohortId);
  assert.notEqual((await cohortOf([first])).cohortId, cohortId);
  assert.deepEqual(new Set((await readDocument(objects, COHORT, cohortId)).members), new Set([first, second]));

  const refused: [CohortMember[], Partial<Cohort>, string][] = [
    [[], {}, "COHORT_EMPTY"],
    [[first, { ...first, patient: 1 }], {}, "SAME_IMAGE_TWO_PATIENTS"],
    [[first, first], {}, "SAME_IMAGE_TWICE"],
    [[{ ...first, maskId: small }], {}, "SIZE_MISMATCH"],
    [[{ ...first, maskId: b }], {}, "IMAGE_NOT_FOUND"],
    [[{ ...first, imageId: "../../etc" }], {}, "IMAGE_NOT_FOUND"],
    [[{ ...first, patient: -1 }], {}, "PATIENT_INVALID"],
    [[first], { mpp: Number.NaN }, "MPP_INVALID"],
    [[first], { mpp: 101 }, "MPP_INVALID"],
    [[first], { maskKind: MaskKind.MASK_KIND_UNSPECIFIED }, "MASK_KIND_MISSING"],
    [[first], { annotation: Annotation.ANNOTATION_UNSPECIFIED }, "ANNOTATION_MISSING"],
  ];
  for (const [members, changes, reason] of refused) await assert.rejects(cohortOf(members, changes), { reason });
});
