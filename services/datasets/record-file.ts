/** @file Writes and reads record files on the local disk, in memory bounded by one image's shard (METHOD.md 3). */
import { createHash } from "node:crypto";
import { closeSync, createReadStream, openSync, writeSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { DomainError } from "../lib/errors.ts";
import type { NamedPatch } from "../lib/patches/patch-names.ts";
import type { Patch } from "../lib/patches/patch-shard.ts";
import { countRecords, RECORD_BYTES } from "../lib/patches/records.ts";

/** A record file on the local disk. */
export interface RecordFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

const RECORDS_PER_READ = 1000;

/**
 * Writes the listed patches to a new file in list order. The list may be shuffled: shards are loaded one image at a time,
 * each once, and their patches written in place.
 * Throws failedPrecondition PATCH_NOT_FOUND where a shard lacks a listed patch or gives it another label.
 */
export const writeRecords = async (
  path: string,
  order: readonly NamedPatch[],
  loadShard: (imageId: string) => Promise<readonly Patch[]>,
): Promise<RecordFile> => {
  const file = openSync(path, "wx");
  try {
    for (const [imageId, indices] of indicesByImage(order)) {
      writePatches(file, order, indices, await loadShard(imageId));
    }
  } finally {
    closeSync(file);
  }
  return { path, size: order.length * RECORD_BYTES, sha256: await sha256Of(path) };
};

/** Yields the file's records in order, up to 1000 at a time; a piece is good until the next. Throws dataLoss RECORDS_CORRUPT. */
export async function* readRecords(path: string): AsyncGenerator<Uint8Array> {
  const records = countRecords((await stat(path)).size);
  const file = await open(path, "r");
  try {
    const buffer = new Uint8Array(Math.min(records, RECORDS_PER_READ) * RECORD_BYTES);
    for (let first = 0; first < records; first += RECORDS_PER_READ) {
      const length = Math.min(RECORDS_PER_READ, records - first) * RECORD_BYTES;
      const { bytesRead } = await file.read(buffer, 0, length, first * RECORD_BYTES);
      countRecords(first * RECORD_BYTES + bytesRead);
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

const indicesByImage = (order: readonly NamedPatch[]): Map<string, number[]> => {
  const indices = new Map<string, number[]>();
  for (const [index, { imageId }] of order.entries()) {
    const known = indices.get(imageId);
    if (known) known.push(index);
    else indices.set(imageId, [index]);
  }
  return indices;
};

/**
 * Synchronous on purpose: a write of 3 KB into the page cache takes 5 us, a hop to a thread 20 to 70; the event loop gets
 * its turn at the latest after one shard (2,300 patches, some 12 ms).
 */
const writePatches = (
  file: number,
  order: readonly NamedPatch[],
  indices: readonly number[],
  shard: readonly Patch[],
): void => {
  const patches = new Map(shard.map((patch) => [patch.name, patch]));
  const record = new Uint8Array(RECORD_BYTES);
  for (const index of indices) {
    const { name, label } = order[index]!;
    const patch = patches.get(name);
    if (patch?.label !== label) throw notFound(name, label, patch);
    record[0] = label;
    record.set(patch.pixels, 1);
    writeWhole(file, record, index * RECORD_BYTES);
  }
};

/** A write may be short, for instance on a disk that is nearly full; the next then says so. */
const writeWhole = (file: number, record: Uint8Array, at: number): void => {
  for (let written = 0; written < record.length; ) {
    written += writeSync(file, record, written, record.length - written, at + written);
  }
};

const notFound = (name: string, label: number, patch: Patch | undefined): DomainError =>
  new DomainError(
    "failedPrecondition",
    "PATCH_NOT_FOUND",
    `Cannot build database: patch "${name}" of class ${label} is listed but ` +
      `${patch === undefined ? "not in its shard" : `of class ${patch.label} in its shard`}; split the patch set again`,
  );

const sha256Of = async (path: string): Promise<string> => {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest("hex");
};
