/** @file From real encoded files to patches: the same patches whatever format, channels and depth the same pixels and labels come in. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import sharp from "sharp";
import { openCutters } from "../services/datasets/cutters.ts";
import { recordLoader } from "../services/datasets/image-records.ts";
import { importImage } from "../services/datasets/import-image.ts";
import { extractJobs } from "../services/extraction/extract.ts";
import { imageWorker } from "../services/extraction/image-worker.ts";
import { openSamplers } from "../services/extraction/samplers.ts";
import { encodeLabelPng } from "../services/lib/images/label-png.fixture.ts";
import { recordAt, recordCount } from "../services/lib/patches/records.ts";
import { Annotation, ImportPurpose, MaskKind } from "../services/lib/proto/radhical/v1/datasets.ts";
import { ExtractRequest } from "../services/lib/proto/radhical/v1/extraction.ts";
import { PatchSet } from "../services/lib/proto/radhical/v1/work.ts";
import { contentId } from "../services/lib/service/content-id.ts";
import { COHORT } from "../services/lib/service/document-kinds.ts";
import { createDocument } from "../services/lib/service/documents.ts";
import { sendUpload } from "../services/lib/service/files.ts";
import { createImageStore } from "../services/lib/service/image-store.ts";
import { runUnit } from "../services/lib/service/jobs/inline.fixture.ts";
import { temporaryStore } from "../services/lib/service/jobs/jobs.fixture.ts";

const [WIDTH, HEIGHT] = [37, 26];
const AREA = WIDTH * HEIGHT;
/** All candidates are taken, so that patches do not depend on the ids of the files. */
const ALL = { positive: AREA, edge: AREA, background: AREA, nucleus: AREA, mixed: AREA, none: AREA };

/** Two nuclei that touch; as many colours as a palette holds. */
const labelAt = (i: number): number => {
  const [x, y] = [i % WIDTH, Math.floor(i / WIDTH)];
  if (y < 6 || y >= 18 || x < 5 || x >= 29) return 0;
  return x < 17 ? 300 : 1_000;
};
const labels = Uint16Array.from({ length: AREA }, (_, i) => labelAt(i));
const pixelsOf = (grey: boolean) =>
  Uint8Array.from({ length: 3 * AREA }, (_, at) => {
    const [i, c] = [Math.floor(at / 3), at % 3];
    return 40 + 8 * ((i + Math.floor(i / WIDTH)) % 16) + (grey ? 0 : 30 * c);
  });

const size = { width: WIDTH, height: HEIGHT };
const rgb = (grey = false) => sharp(pixelsOf(grey), { raw: { ...size, channels: 3 } });
const rgba = () => {
  const pixels = pixelsOf(false);
  const data = Uint8Array.from({ length: 4 * AREA }, (_, at) =>
    at % 4 === 3 ? (at * 7) % 256 : pixels[3 * Math.floor(at / 4) + (at % 4)]!,
  );
  return sharp(data, { raw: { ...size, channels: 4 } });
};
const greyOf = (values: ArrayLike<number>) =>
  sharp(Uint8Array.from(values), { raw: { ...size, channels: 1 } }).toColourspace("b-w");
const labelMask = () => encodeLabelPng(WIDTH, HEIGHT, labels);

interface Files {
  readonly image: Uint8Array;
  readonly mask: Uint8Array;
  readonly maskKind?: MaskKind;
}

/** Imports the files and returns labels and pixels of the patches of all levels. */
async function startExtraction(t: TestContext) {
  const objects = await temporaryStore(t);
  const [samplers, cutters] = [openSamplers(), openCutters()];
  t.after(() => Promise.all([samplers.stop(), cutters.stop()]));
  const images = createImageStore(objects, 1e6);
  const take = importImage({ objects, config: { limits: { uploadBytes: 1e6, imagePixels: 1e6 } } });
  const upload = async (bytes: Uint8Array, purpose: ImportPurpose) => {
    const { imageId } = await take(sendUpload(bytes, { purpose }));
    return imageId;
  };
  return async ({ image, mask, maskKind = MaskKind.MASK_KIND_AUTO }: Files) => {
    const imageId = await upload(image, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const maskId = await upload(mask, ImportPurpose.IMPORT_PURPOSE_MASK);
    const cohortId = contentId("cohort", imageId, maskId, String(maskKind));
    const members = [{ imageId, maskId, patient: 0 }];
    const annotation = Annotation.ANNOTATION_COMPLETE;
    await createDocument(objects, COHORT, cohortId, { members, annotation, maskKind, mpp: 0.25 });
    const context = { objects, images, samplers, workers: 1 };
    const sampling = { reductions: [1, 2, 10], seed: 1n, ...ALL };
    const request = ExtractRequest.fromPartial({ requestId: "x", cohortId, sampling });
    const [unit] = (await extractJobs(context).plan(request)).units;
    await objects.put(unit!.outputKey, await runUnit(objects, imageWorker(context), unit!));
    const patchSet = PatchSet.fromPartial({ sampling, members: [{ imageId, recordKey: unit!.outputKey }] });
    return cutters.lend(async (cutter) => {
      const levels: { label: number; pixels: string }[][] = [];
      for (const index of sampling.reductions.keys()) {
        const records = await recordLoader(context, patchSet, index + 1, cutter)(imageId);
        const patches = Array.from({ length: recordCount(records) }, (_, i) => recordAt(records, i));
        levels.push(patches.map(({ label, pixels }) => ({ label, pixels: Buffer.from(pixels).toString("hex") })));
      }
      return levels;
    });
  };
}

test("RGB, RGBA, palette and TIFF images of the same pixels give the same patches", async (t) => {
  const extract = await startExtraction(t);
  const mask = await labelMask();
  const expected = await extract({ image: await rgb().png().toBuffer(), mask });
  assert.deepEqual(
    expected.map((level) => level.length),
    [2 * AREA, 2 * 19 * 13, 2 * 4 * 3],
  );
  for (const [what, pipeline] of [
    ["RGBA PNG, whatever alpha says", rgba().png()],
    ["palette PNG", rgb().png({ palette: true, colours: 256, dither: 0, quality: 100 })],
    ["LZW TIFF", rgb().tiff({ compression: "lzw" })],
    ["tiled RGBA TIFF", rgba().tiff({ compression: "deflate", tile: true, tileWidth: 16, tileHeight: 16 })],
  ] as const) {
    assert.deepEqual(await extract({ image: await pipeline.toBuffer(), mask }), expected, what);
  }
});

test("a grey image is an RGB image of equal channels, a JPEG what its decoder makes of it", async (t) => {
  const extract = await startExtraction(t);
  const mask = await labelMask();
  const greyPng = await rgb(true).toColourspace("b-w").png().toBuffer();
  assert.deepEqual(
    await extract({ image: greyPng, mask }),
    await extract({ image: await rgb(true).png().toBuffer(), mask }),
  );
  const jpeg = await rgb().jpeg({ quality: 80 }).toBuffer();
  const decoded = await sharp(jpeg).raw().toBuffer();
  const copy = await sharp(decoded, { raw: { ...size, channels: 3 } })
    .png()
    .toBuffer();
  assert.deepEqual(await extract({ image: jpeg, mask }), await extract({ image: copy, mask }));
});

test("labels of 8 and 16 bits separate touching nuclei alike, a binary mask does not", async (t) => {
  const extract = await startExtraction(t);
  const image = await rgb().png().toBuffer();
  const expected = await extract({ image, mask: await labelMask() });
  const eight = greyOf(Array.from(labels, (label) => (label === 300 ? 1 : label === 0 ? 0 : 2)));
  assert.deepEqual(await extract({ image, mask: await eight.clone().png().toBuffer() }), expected, "8-bit labels");
  const tiff = await sharp(labels, { raw: { ...size, channels: 1 } })
    .toColourspace("grey16")
    .tiff({ compression: "lzw" })
    .toBuffer();
  assert.deepEqual(await extract({ image, mask: tiff }), expected, "16-bit TIFF");
  const positives = (levels: typeof expected): number => levels[0]!.filter(({ label }) => label === 1).length;
  assert.equal(positives(expected), 2 * (24 * 12 - 2 * 12));
  const binary = await extract({ image, mask: await labelMask(), maskKind: MaskKind.MASK_KIND_BINARY });
  assert.equal(positives(binary), 2 * 24 * 12);
  const white = greyOf(Array.from(labels, (label) => (label > 0 ? 255 : 0)));
  for (const mask of [
    white.clone().png(),
    white.clone().tiff({ bitdepth: 1 }),
    white.clone().png({ palette: true, colours: 2 }),
  ]) {
    assert.deepEqual(await extract({ image, mask: await mask.toBuffer() }), binary);
  }
});

test("a 16-bit image and a lossy mask are refused before any work", async (t) => {
  const extract = await startExtraction(t);
  const [image, mask] = [await rgb().png().toBuffer(), await labelMask()];
  const message = /16 bits per channel; save it with 8 bits per channel/;
  await assert.rejects(extract({ image: mask, mask }), { reason: "IMAGE_UNSUPPORTED", message });
  const jpeg = await greyOf(labels.map((label) => (label > 0 ? 255 : 0)))
    .jpeg()
    .toBuffer();
  await assert.rejects(extract({ image, mask: jpeg }), { reason: "IMAGE_UNSUPPORTED", message: /changes labels/ });
});
