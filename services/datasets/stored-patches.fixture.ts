/** @file Patches as extraction leaves them, of as many made-up images as wanted, and a child process that makes databases of them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { PATCH_BYTES } from "../lib/method/patches.ts";
import { createRandom } from "../lib/method/random.ts";
import { openFolderStore } from "../lib/objects/folder-store.ts";
import { patchNames } from "../lib/patches/patch-names.ts";
import { writeShard } from "../lib/patches/patch-shard.fixture.ts";
import { Annotation, MaskKind } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractRecord, PatchSet } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, PATCH_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode } from "../lib/service/documents.ts";

const CHILD = fileURLToPath(new URL("./build-memory.child.js", import.meta.url));
const NOISE_BYTES = 2 ** 20;
/** Far from PATCH_BYTES' divisors, so that no two patches of an image are alike. */
const NOISE_STEP = 401;

export interface MadeImages {
  /** Every image is a patient of its own. */
  readonly images: number;
  /** Of one level; each gives two patches. */
  readonly centresPerImage: number;
}

/** Fills the folder of a store, whose patches are noise: nothing makes their databases smaller. Returns the patch set's id. */
export async function storePatches(folder: string, { images, centresPerImage }: MadeImages): Promise<string> {
  const objects = await openFolderStore(folder);
  const random = createRandom("stored patches");
  const noise = Uint8Array.from({ length: NOISE_BYTES + PATCH_BYTES }, () => random.int(256));
  const [cohortId, patchSetId] = [contentId("cohort"), contentId("patch set")];
  const members = Array.from({ length: images }, (_, i) => ({
    imageId: contentId("image", i),
    maskId: contentId("mask", i),
    patient: i,
  }));
  const meaning = { annotation: Annotation.ANNOTATION_COMPLETE, maskKind: MaskKind.MASK_KIND_AUTO, mpp: 0.25 };
  await createDocument(objects, COHORT, cohortId, { members, ...meaning });
  const records: PatchSet["members"] = [];
  const labels = Buffer.from(Uint8Array.from({ length: centresPerImage }, (_, i) => i % 2));
  for (const [n, { imageId }] of members.entries()) {
    const patches = [...patchNames(imageId, labels)].map((patch, i) => {
      const at = ((n * 2 * centresPerImage + i) * NOISE_STEP) % NOISE_BYTES;
      return { ...patch, pixels: noise.subarray(at, at + PATCH_BYTES) };
    });
    const [shardKey, recordKey] = [`patches/made/${imageId}.tar`, `patches/made/records/${imageId}`];
    await objects.put(shardKey, writeShard(patches));
    await objects.put(
      recordKey,
      encode(ExtractRecord, ExtractRecord.fromPartial({ levels: [{ level: 1, labels, shardKey }] })),
    );
    records.push({ imageId, recordKey });
  }
  const sampling = { reductions: [1] };
  await createDocument(objects, PATCH_SET, patchSetId, PatchSet.fromPartial({ cohortId, sampling, members: records }));
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
