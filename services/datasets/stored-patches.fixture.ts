/** @file Patches as extraction leaves them, of as many made-up images as wanted, and a child process that makes databases of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { createRandom } from "../lib/method/random.ts";
import type { LabelledCentres } from "../lib/method/sampling.ts";
import { openFolderStore } from "../lib/objects/folder-store.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Annotation, MaskKind } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractRecord, PatchCentres, PatchSet } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, PATCH_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode } from "../lib/service/documents.ts";
import { bytesOf } from "../lib/service/number-bytes.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";

const CHILD = fileURLToPath(new URL("./build-memory.child.js", import.meta.url));
/** Side of a made-up image, in pixels. */
const SIDE_PX = 64;

export interface MadeImages {
  /** Every image is a patient of its own. */
  readonly images: number;
  /** Of one level; each gives two patches. */
  readonly centresPerImage: number;
}

/** Stores what extraction says of an image; returns its record's key. */
export async function storeCentres(
  objects: ObjectStore,
  imageId: string,
  levels: readonly ({ readonly level: number } & LabelledCentres)[],
): Promise<string> {
  const [centresKey, recordKey] = [`patches/made/${imageId}/centres`, `patches/made/records/${imageId}`];
  const centres = levels.map(({ level, xs, ys }) => ({
    level,
    xs: bytesOf(xs),
    ys: bytesOf(ys),
  }));
  await objects.put(centresKey, encode(PatchCentres, { levels: centres }));
  const labelled = levels.map(({ level, labels }) => ({ level, labels: Buffer.from(labels) }));
  await objects.put(recordKey, encode(ExtractRecord, ExtractRecord.fromPartial({ levels: labelled, centresKey })));
  return recordKey;
}

/** Fills the folder of a store with images of noise: nothing makes their databases smaller. Returns the patch set's id. */
export async function storePatches(folder: string, { images, centresPerImage }: MadeImages): Promise<string> {
  const objects = await openFolderStore(folder);
  const [cohortId, patchSetId] = [contentId("cohort"), contentId("patch set")];
  const centres = {
    level: 1,
    xs: Uint32Array.from({ length: centresPerImage }, (_, i) => i % SIDE_PX),
    ys: Uint32Array.from({ length: centresPerImage }, (_, i) => Math.floor(i / SIDE_PX) % SIDE_PX),
    labels: Uint8Array.from({ length: centresPerImage }, (_, i) => i % 2),
  };
  const members: PatchSet["members"] = [];
  for (let i = 0; i < images; i++) {
    const random = createRandom("stored patches", i);
    const imageId = await storeImage(objects, SIDE_PX, SIDE_PX, () => [
      random.int(256),
      random.int(256),
      random.int(256),
    ]);
    members.push({ imageId, recordKey: await storeCentres(objects, imageId, [centres]) });
  }
  const meaning = { annotation: Annotation.ANNOTATION_COMPLETE, maskKind: MaskKind.MASK_KIND_AUTO, mpp: 0.25 };
  const cohort = members.map(({ imageId }, i) => ({ imageId, maskId: contentId("mask", i), patient: i }));
  await createDocument(objects, COHORT, cohortId, { members: cohort, ...meaning });
  const patchSet = { cohortId, sampling: { reductions: [1] }, members, normalisation: NORMALISATION };
  await createDocument(objects, PATCH_SET, patchSetId, PatchSet.fromPartial(patchSet));
  await objects.close();
  return patchSetId;
}

/** What a process needed to split a patch set and to build the databases of a fold. Memory is the most that was resident. */
export interface BuildCost {
  readonly trainPatches: number;
  readonly testPatches: number;
  readonly seconds: number;
  readonly baselineBytes: number;
  readonly peakBytes: number;
}

/** Splits and builds in a process of its own, whose memory nothing else has used. */
export async function buildInChild(folder: string, patchSetId: string): Promise<BuildCost> {
  const child = spawn(process.execPath, [CHILD, folder, patchSetId], { stdio: ["ignore", "pipe", "inherit"] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`The process that builds ended with code ${code}`);
  return JSON.parse(output) as BuildCost; // of our own child
}
