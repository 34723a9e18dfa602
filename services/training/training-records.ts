/** @file Record files of patches in memory, as training units read them. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { BuildRecord_RecordFile } from "../lib/proto/radhical/v1/work.ts";
import { countClasses } from "./class-weights.ts";

/** Patches of a fold and level, and what is known of them. */
export interface Records {
  /** In memory that threads share. */
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly classOfLabel: readonly number[];
  /** Patches of each of the network's classes. */
  readonly counts: readonly bigint[];
}

type Progress = () => Promise<void>;

/** Returns the records that a build job left. */
export type ReadRecords = (file: BuildRecord_RecordFile, progress: Progress) => Promise<Records>;

/** How often a unit that waits for another's reading says that it is alive. */
const WAIT_MS = 1_000;

/**
 * Returns what reads record files from the store. Units of one process that learn from the same patches, as the members of a model do, have
 * them in memory once: a gigabyte each is what a machine with many cores would not hold. They are given up when nobody holds them.
 */
export function createRecordReader(objects: ObjectStore): ReadRecords {
  const held = new Map<string, WeakRef<Uint8Array>>();
  const reading = new Map<string, Promise<unknown>>();

  const readOnce = async (key: string, progress: Progress): Promise<Uint8Array> => {
    for (let other = reading.get(key); other !== undefined; other = reading.get(key)) {
      await progress();
      await Promise.race([other, sleep(WAIT_MS)]);
    }
    for (const [known, memory] of held) if (memory.deref() === undefined) held.delete(known);
    const known = held.get(key)?.deref();
    if (known !== undefined) return known;
    const own = readWhole(objects, key, progress);
    const settled = own.then(
      () => undefined,
      () => undefined, // whoever waits reads it itself then
    );
    reading.set(key, settled);
    try {
      const bytes = await own;
      held.set(key, new WeakRef(bytes));
      return bytes;
    } finally {
      reading.delete(key);
    }
  };

  return async ({ key, database }, progress) => {
    const classOfLabel = database?.classOfLabel ?? [];
    return {
      bytes: await readOnce(key, progress),
      sha256: database?.recordsSha256 ?? "",
      classOfLabel,
      counts: countClasses(database?.byLabel ?? [], classOfLabel),
    };
  };
}

/** Returns an object's bytes, piece by piece: gigabytes come at the store's pace, and a worker that says nothing is taken for dead. */
async function readWhole(objects: ObjectStore, key: string, progress: Progress): Promise<Uint8Array> {
  const { size = 0 } = (await objects.head(key)) ?? {};
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  let at = 0;
  for await (const piece of (await objects.stream(key)) as AsyncIterable<Uint8Array>) {
    bytes.set(piece, at);
    at += piece.length;
    await progress();
  }
  return bytes;
}
