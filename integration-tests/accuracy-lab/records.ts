/** @file Training patches of one level in memory, sampled and cut by the product's own functions. */
import { classifyPixels } from "../../services/lib/method/classes.ts";
import { reduceImage } from "../../services/lib/method/levels.ts";
import { PATCH_BYTES } from "../../services/lib/method/patches.ts";
import { createRowCopier } from "../../services/lib/method/row-copier.ts";
import { joinKinds, type SampleCounts, sampleCentres } from "../../services/lib/method/sampling.ts";
import { cutRecords } from "../../services/lib/patches/cut-records.ts";
import { RECORD_BYTES } from "../../services/lib/patches/records.ts";
import type { LabImage } from "./cohort.ts";

/** Records in memory, and what training needs to know of them. */
export interface LabRecords {
  readonly bytes: Uint8Array;
  /** Patches of label 0, 1 and 2. */
  readonly counts: readonly number[];
  /** Mean of red, green and blue. */
  readonly channelMeans: Float32Array;
}

/** Whose patches, and how many. */
export interface LabSampling {
  /** From 1, the finest; its place in `reductions`. */
  readonly level: number;
  readonly reductions: readonly number[];
  readonly counts: SampleCounts;
  readonly seed: number;
}

/** Returns the patches of images, image after image. */
export function labRecords(images: readonly LabImage[], sampling: LabSampling): LabRecords {
  const pieces = images.map((image) => cutImageRecords(image, sampling));
  const bytes = new Uint8Array(new SharedArrayBuffer(pieces.reduce((sum, { length }) => sum + length, 0)));
  let end = 0;
  for (const piece of pieces) {
    bytes.set(piece, end);
    end += piece.length;
  }
  const byLabel = [0, 0, 0];
  const sums = [0, 0, 0];
  const plane = PATCH_BYTES / 3;
  for (let start = 0; start < bytes.length; start += RECORD_BYTES) {
    const label = bytes[start]!;
    byLabel[label] = byLabel[label]! + 1;
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (let i = start + 1 + channel * plane, last = i + plane; i < last; i++) sum += bytes[i]!;
      sums[channel] = sums[channel]! + sum;
    }
  }
  const pixels = (bytes.length / RECORD_BYTES) * plane;
  return { bytes, counts: byLabel, channelMeans: Float32Array.from(sums, (sum) => sum / pixels) };
}

function cutImageRecords({ stem, image, labels, kind: maskKind }: LabImage, sampling: LabSampling): Uint8Array {
  const { level, reductions, counts, seed } = sampling;
  const annotation = "complete";
  const classes = classifyPixels({ image, labels, maskKind, annotation });
  const { levels } = sampleCentres(classes, { annotation, reductions, counts, seed, imageId: stem });
  const { reduction, kinds } = levels[level - 1]!;
  return cutRecords(createRowCopier(), reduceImage(image, reduction), joinKinds(kinds)).slice();
}
