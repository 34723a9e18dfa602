/** @file What Caffe's tools read: the LevelDB of convert_imageset and the mean image of compute_image_mean (METHOD.md 3). */
import { ClassicLevel } from "classic-level";
import { DomainError } from "../lib/errors.ts";
import { PATCH_BYTES, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { recordAt, recordCount } from "../lib/patches/records.ts";
import { BlobProto, Datum } from "../lib/proto/third_party/caffe/caffe.ts";
import { readRecords } from "./record-file.ts";

const PLANE = PATCH_SIZE_PX * PATCH_SIZE_PX;
const CHANNELS = 3;
const KEY_DIGITS = 8;
const SHAPE = { channels: CHANNELS, height: PATCH_SIZE_PX, width: PATCH_SIZE_PX } as const;

/** Caffe's block size; larger files than LevelDB's 2 MiB, because each becomes an object; a bounded write buffer. */
const LEVELDB_OPTIONS = {
  keyEncoding: "utf8",
  valueEncoding: "view",
  errorIfExists: true,
  blockSize: 65_536,
  writeBufferSize: 16 * 2 ** 20,
  maxFileSize: 64 * 2 ** 20,
} as const;

/** Returns the key that convert_imageset gives to the patch at place `index` of the database. */
export const databaseKey = (index: number, name: string): string =>
  `${String(index).padStart(KEY_DIGITS, "0")}_${name}`;

/**
 * Writes a LevelDB into a new folder: for every record its key and a Datum of planar BGR bytes. Keys in another order than the
 * records shuffle the database, with no more reading. Memory is bounded by some batches of 1000 records.
 * Throws dataLoss RECORDS_CORRUPT where the file does not hold one record per key.
 */
export const writeLevelDb = async (
  folder: string,
  recordPath: string,
  keys: readonly string[],
  onBatch: () => Promise<void> = async () => {},
): Promise<void> => {
  const database = new ClassicLevel<string, Uint8Array>(folder, LEVELDB_OPTIONS);
  await database.open();
  try {
    let index = 0;
    for await (const records of readRecords(recordPath)) {
      const batch = [];
      for (let i = 0; i < recordCount(records); i++, index++) {
        const key = keys[index];
        if (key === undefined) throw countMismatch(keys.length, `more than ${index}`);
        batch.push({ type: "put", key, value: datumOf(recordAt(records, i)) } as const);
      }
      await database.batch(batch);
      await onBatch();
    }
    if (index !== keys.length) throw countMismatch(keys.length, String(index));
  } finally {
    await database.close();
  }
};

/** Returns the mean patch of a record file, planar RGB, 3 x 32 x 32. Throws failedPrecondition RECORDS_EMPTY. */
export const meanPatch = async (recordPath: string): Promise<Float64Array> => {
  const sums = new Float64Array(PATCH_BYTES); // of integers below 2^53: exact, whatever the order
  let count = 0;
  for await (const records of readRecords(recordPath)) {
    for (let i = 0; i < recordCount(records); i++) {
      const { pixels } = recordAt(records, i);
      for (let at = 0; at < PATCH_BYTES; at++) sums[at]! += pixels[at]!;
    }
    count += recordCount(records);
  }
  if (count === 0) {
    throw new DomainError(
      "failedPrecondition",
      "RECORDS_EMPTY",
      "Cannot average the patches of an empty database; check its list",
    );
  }
  return sums.map((sum) => sum / count);
};

/** Returns Caffe's mean file of a mean patch (planar RGB): a BlobProto 1 x 3 x 32 x 32 of floats, planar BGR. */
export const meanImage = (mean: Float64Array): Uint8Array => {
  const data = [2, 1, 0].flatMap((channel) => [...mean.subarray(channel * PLANE, (channel + 1) * PLANE)]);
  return BlobProto.encode({ num: 1, ...SHAPE, data }).finish();
};

/** Returns the mean red, green and blue of a mean patch (planar RGB), 0 to 255. */
export const channelMeans = (mean: Float64Array): readonly [number, number, number] => {
  const meanOf = (channel: number) =>
    mean.subarray(channel * PLANE, (channel + 1) * PLANE).reduce((sum, value) => sum + value, 0) / PLANE;
  return [meanOf(0), meanOf(1), meanOf(2)];
};

const datumOf = ({ label, pixels }: { readonly label: number; readonly pixels: Uint8Array }): Uint8Array => {
  const data = Buffer.alloc(PATCH_BYTES);
  for (let channel = 0; channel < CHANNELS; channel++) {
    data.set(pixels.subarray(channel * PLANE, (channel + 1) * PLANE), (CHANNELS - 1 - channel) * PLANE);
  }
  return Datum.encode({ ...SHAPE, data, label, floatData: [] }).finish();
};

const countMismatch = (keys: number, records: string): DomainError =>
  new DomainError(
    "dataLoss",
    "RECORDS_CORRUPT",
    `Cannot write LevelDB: there are ${keys} keys, the record file holds ${records}; build the database again`,
  );
