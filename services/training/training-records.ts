/** @file Record files of patches in memory, as a training unit reads them. */
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { BuildRecord_RecordFile } from "../lib/proto/radhical/v1/work.ts";
import { countClasses } from "./class-weights.ts";

/** Patches of a fold and level, and what is known of them. */
export interface Records {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly classOfLabel: readonly number[];
  /** Patches of each of the network's classes. */
  readonly counts: readonly bigint[];
}

/** Returns the records that a build job left. */
export async function readRecords(
  objects: ObjectStore,
  { key, database }: BuildRecord_RecordFile,
  progress: () => Promise<void>,
): Promise<Records> {
  const classOfLabel = database?.classOfLabel ?? [];
  return {
    bytes: await readWhole(objects, key, progress),
    sha256: database?.recordsSha256 ?? "",
    classOfLabel,
    counts: countClasses(database?.byLabel ?? [], classOfLabel),
  };
}

/** Returns an object's bytes, piece by piece: gigabytes come at the store's pace, and a worker that says nothing is taken for dead. */
async function readWhole(objects: ObjectStore, key: string, progress: () => Promise<void>): Promise<Uint8Array> {
  const { size = 0 } = (await objects.head(key)) ?? {};
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const piece of (await objects.stream(key)) as AsyncIterable<Uint8Array>) {
    bytes.set(piece, at);
    at += piece.length;
    await progress();
  }
  return bytes;
}
