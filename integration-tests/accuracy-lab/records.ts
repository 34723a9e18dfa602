/** @file Training patches of level 1 in memory, sampled and cut by the product's own functions. */
import { cutPatches, PATCH_BYTES, ROTATIONS } from "../../services/lib/method/patches.ts";
import { createRowCopier } from "../../services/lib/method/row-copier.ts";
import { type SampleCounts, sampleCentres } from "../../services/lib/method/sampling.ts";
import { RECORD_BYTES } from "../../services/lib/patches/records.ts";
import type { LabImage } from "./cohort.ts";

/** Records in memory, and what training needs to know of them. */
export interface LabRecords {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Patches of label 0 and 1. */
  readonly counts: readonly [number, number];
  /** Mean of red, green and blue. */
  readonly channelMeans: Float32Array;
}

/** Returns the patches of images, image after image. */
export function cutRecords(images: readonly LabImage[], counts: SampleCounts, seed: number): LabRecords {
  const pieces = images.map((image) => cutImageRecords(image, counts, seed));
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const piece of pieces) {
    bytes.set(piece, end);
    end += piece.length;
  }
  const byLabel: [number, number] = [0, 0];
  const sums = [0, 0, 0];
  const plane = PATCH_BYTES / 3;
  for (let start = 0; start < bytes.length; start += RECORD_BYTES) {
    byLabel[bytes[start] === 0 ? 0 : 1]++;
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (let i = start + 1 + channel * plane, last = i + plane; i < last; i++) sum += bytes[i]!;
      sums[channel] = sums[channel]! + sum;
    }
  }
  const pixels = (bytes.length / RECORD_BYTES) * plane;
  return { bytes, counts: byLabel, channelMeans: Float32Array.from(sums, (sum) => sum / pixels) };
}

function cutImageRecords({ stem, image, labels }: LabImage, counts: SampleCounts, seed: number): Uint8Array {
  const request = { image, labels, annotation: "complete", reductions: [1], counts, seed, imageId: stem } as const;
  const kinds = sampleCentres(request).levels[0]?.kinds ?? [];
  const xs = kinds.flatMap((kind) => [...kind.xs]);
  const ys = kinds.flatMap((kind) => [...kind.ys]);
  const label = kinds.flatMap((kind) => new Array<number>(kind.xs.length).fill(kind.label));
  const copier = createRowCopier();
  const { start } = copier;
  cutPatches(copier, image, { xs, ys }, { offset: start + 1, stride: RECORD_BYTES });
  const records = copier.bytes.slice(start, start + RECORD_BYTES * ROTATIONS.length * xs.length);
  for (let patch = 0; patch < ROTATIONS.length * xs.length; patch++)
    records[patch * RECORD_BYTES] = label[Math.floor(patch / ROTATIONS.length)]!;
  return records;
}
