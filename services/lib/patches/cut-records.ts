/** @file Cuts the patches of an image's level right into their records: the pixels are written once, as they are stored. */
import type { RgbImage } from "../method/image.ts";
import { cutPatches, ROTATIONS } from "../method/patches.ts";
import type { RowCopier } from "../method/row-copier.ts";
import type { LabelledCentres } from "../method/sampling.ts";
import { RECORD_BYTES } from "./records.ts";

/**
 * Returns the records of the patches that `patchNames` names, in its order: a view of the copier's memory, which is good until that is
 * used again.
 */
export const cutRecords = (
  copier: RowCopier,
  levelImage: RgbImage,
  { xs, ys, labels }: LabelledCentres,
): Uint8Array<SharedArrayBuffer> => {
  const start = copier.start;
  cutPatches(copier, levelImage, { xs, ys }, { offset: start + 1, stride: RECORD_BYTES });
  const records = copier.bytes.subarray(start, start + RECORD_BYTES * ROTATIONS.length * labels.length);
  for (let centre = 0, at = 0; centre < labels.length; centre++)
    for (let i = 0; i < ROTATIONS.length; i++, at += RECORD_BYTES) records[at] = labels[centre]!;
  return records;
};
