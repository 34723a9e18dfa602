/** @file Writes and reads record files on the local disk; of pixels, memory holds one image's records and a piece of the file (METHOD.md 3). */
import { createHash } from "node:crypto";
import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { DomainError } from "../lib/errors.ts";
import { placeOfPatch } from "../lib/patches/patch-names.ts";
import { countRecords, RECORD_BYTES, recordCount } from "../lib/patches/records.ts";
import type { LoadRecords } from "./image-records.ts";
import type { PatchList } from "./list-file.ts";

/** A record file on the local disk. */
export interface RecordFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  /** How many records have each label, 0 to 255. */
  readonly byLabel: Uint32Array;
}

const RECORDS_AT_ONCE = 1000;

/**
 * Writes the listed patches to a new file in list order. Records are loaded where the list comes to another image: once for each, as
 * lists are in image order.
 * Throws failedPrecondition PATCH_NOT_FOUND where an image lacks a listed patch or gives it another label.
 */
export const writeRecords = async (path: string, list: PatchList, loadRecords: LoadRecords): Promise<RecordFile> => {
  const hash = createHash("sha256");
  const byLabel = new Uint32Array(256);
  let loaded: { imageId: string; records: Uint8Array } = { imageId: "", records: new Uint8Array() };
  const file = await open(path, "wx");
  try {
    const buffer = new Uint8Array(Math.min(list.length, RECORDS_AT_ONCE) * RECORD_BYTES);
    for (let first = 0; first < list.length; first += RECORDS_AT_ONCE) {
      const piece = buffer.subarray(0, Math.min(RECORDS_AT_ONCE, list.length - first) * RECORD_BYTES);
      for (let at = 0; at < piece.length; at += RECORD_BYTES) {
        const { imageId, name, label } = list.at(first + at / RECORD_BYTES);
        if (loaded.imageId !== imageId) loaded = { imageId, records: await loadRecords(imageId) };
        const { records } = loaded;
        const from = RECORD_BYTES * placeOfPatch(name);
        if (records[from] !== label) throw notFound(name, label, records[from]);
        piece.set(records.subarray(from, from + RECORD_BYTES), at);
        byLabel[label]!++;
      }
      hash.update(piece);
      await file.writeFile(piece); // goes on where it was, until all is written
    }
  } finally {
    await file.close();
  }
  return { path, size: list.length * RECORD_BYTES, sha256: hash.digest("hex"), byLabel };
};

/** Yields the file's records in order, up to 1000 at a time; a piece is good until the next. Throws dataLoss RECORDS_CORRUPT. */
export async function* readRecords(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  yield* readPieces(path, undefined, async (file, piece, first) => {
    const { bytesRead } = await file.read(piece, 0, piece.length, first * RECORD_BYTES);
    return bytesRead;
  });
}

/**
 * Yields the records whose numbers `order` holds, each once, otherwise as `readRecords`. Synchronous on purpose: to read 3 KB that were
 * written moments ago takes 2 us, a hop to a thread 20 to 70; the event loop gets its turn after every piece.
 */
export async function* readRecordsInOrder(
  path: string,
  order: Uint32Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield* readPieces(path, order.length, async (file, piece, first) => {
    let filled = 0;
    for (const record of order.subarray(first, first + recordCount(piece)))
      filled += readSync(file.fd, piece, filled, RECORD_BYTES, record * RECORD_BYTES);
    return filled;
  });
}

/** Fills a piece of a database's records from place `first` on; returns how many bytes there were. */
type FillPiece = (file: FileHandle, piece: Uint8Array, first: number) => Promise<number>;

async function* readPieces(
  path: string,
  wanted: number | undefined,
  fill: FillPiece,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path, "r");
  try {
    const records = countRecords((await file.stat()).size);
    if (wanted !== undefined && wanted !== records) throw corrupt(`it holds ${records} records and not ${wanted}`);
    const buffer = new Uint8Array(Math.min(records, RECORDS_AT_ONCE) * RECORD_BYTES);
    for (let first = 0; first < records; first += RECORDS_AT_ONCE) {
      const piece = buffer.subarray(0, Math.min(RECORDS_AT_ONCE, records - first) * RECORD_BYTES);
      if ((await fill(file, piece, first)) < piece.length) throw corrupt("it ended early");
      yield piece;
    }
  } finally {
    await file.close();
  }
}

const corrupt = (why: string): DomainError =>
  new DomainError("dataLoss", "RECORDS_CORRUPT", `Cannot read record file: ${why}; build the database again`);

const notFound = (name: string, label: number, found: number | undefined): DomainError =>
  new DomainError(
    "failedPrecondition",
    "PATCH_NOT_FOUND",
    `Cannot build database: patch "${name}" of class ${label} is listed but its image has ` +
      `${found === undefined ? "no such patch" : `it as class ${found}`}; split the patch set again`,
  );
