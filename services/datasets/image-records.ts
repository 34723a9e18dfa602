/** @file The records of an image at a level: its centres are read, its pixels decoded, its patches cut by a thread. */
import { DomainError } from "../lib/errors.ts";
import type { LabelledCentres } from "../lib/method/sampling.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ExtractRecord, PatchCentres, type PatchSet } from "../lib/proto/radhical/v1/work.ts";
import { readRecord } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import { integersOf } from "../lib/service/number-bytes.ts";
import type { AskedThread } from "../lib/threads/asked-thread.ts";
import type { CutRequest } from "./cut-thread.ts";

export interface ImageRecordsContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
}

/** Returns an image's records in the order of `patchNames`, good until the next are asked for. */
export type LoadRecords = (imageId: string) => Promise<Uint8Array>;

/** Returns what loads the records of a patch set's images at a level. Throws failedPrecondition PATCH_NOT_FOUND where an image has none. */
export const recordLoader = (
  { objects, images }: ImageRecordsContext,
  { members, sampling }: PatchSet,
  level: number,
  cutter: AskedThread<CutRequest, Uint8Array>,
): LoadRecords => {
  const recordKeys = new Map(members.map(({ imageId, recordKey }) => [imageId, recordKey]));
  const reduction = sampling?.reductions[level - 1] ?? 1;
  return async (imageId) => {
    const centres = await readCentres(objects, imageId, recordKeys.get(imageId), level);
    const { width, height, readRegion } = await images.open(imageId);
    const image = await readRegion({ x: 0, y: 0, width, height });
    return cutter.ask({ image, reduction, centres });
  };
};

const readCentres = async (
  objects: ObjectStore,
  imageId: string,
  recordKey: string | undefined,
  level: number,
): Promise<LabelledCentres> => {
  const record = recordKey === undefined ? undefined : await readRecord(objects, ExtractRecord, recordKey);
  const labels = record?.levels.find((entry) => entry.level === level)?.labels;
  if (record === undefined || labels === undefined) {
    const message = `Cannot build database: image "${imageId}" is listed but has no patches at level ${level}; split the patch set again`;
    throw new DomainError("failedPrecondition", "PATCH_NOT_FOUND", message);
  }
  const { levels } = await readRecord(objects, PatchCentres, record.centresKey);
  const found = levels.find((entry) => entry.level === level);
  const none = new Uint8Array();
  return { labels, xs: integersOf(found?.xs ?? none), ys: integersOf(found?.ys ?? none) };
};
