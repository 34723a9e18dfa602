/** @file What Caffe's tools read: the LevelDB of convert_imageset and the mean image of compute_image_mean (METHOD.md 3). */
import { ClassicLevel } from "classic-level";
import { DomainError } from "../lib/errors.ts";
import { PATCH_BYTES, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { recordAt, recordCount } from "../lib/patches/records.ts";
import { BlobProto, Datum } from "../lib/proto/third_party/caffe/caffe.ts";
import { readRecords, readRecordsInOrder } from "./record-file.ts";

const PLANE = PATCH_SIZE_PX * PATCH_SIZE_PX;
const CHANNELS = 3;
const KEY_DIGITS = 8;
const SHAPE = { channels: CHANNELS, height: PATCH_SIZE_PX, width: PATCH_SIZE_PX } as const;

/** Caffe's block size; a write buffer becomes a file, a file an object. */
const LEVELDB_OPTIONS = {
  keyEncoding: "utf8",
  valueEncoding: "view",
  errorIfExists: true,
  blockSize: 65_536,
  writeBufferSize: 16 * 2 ** 20,
} as const;

/** Returns the key that convert_imageset gives to the patch at place `index` of the database. */
const databaseKey = (index: number, name: string): string => `${String(index).padStart(KEY_DIGITS, "0")}_${name}`;

/**
 * Writes a LevelDB into a new folder: for every record a Datum of planar BGR bytes under convert_imageset's key. `order` says which
 * record of the file each place of the database holds. Keys ascend, so that LevelDB never merges what it wrote; memory is bounded by its
 * buffers and some batches of 1000 records.
 * Throws dataLoss RECORDS_CORRUPT where the file does not hold as many records as there are places.
 */
export const writeLevelDb = async (
  folder: string,
  recordPath: string,
  order: Uint32Array,
  nameOf: (record: number) => string,
  onBatch: () => Promise<void> = async () => {},
): Promise<void> => {
  const database = new ClassicLevel<string, Uint8Array>(folder, LEVELDB_OPTIONS);
  await database.open();
  try {
    const datumOf = datumWriter();
    let place = 0;
    for await (const records of readRecordsInOrder(recordPath, order)) {
      const batch = [];
      for (let i = 0; i < recordCount(records); i++, place++) {
        const key = databaseKey(place, nameOf(order[place]!));
        batch.push({ type: "put", key, value: datumOf(recordAt(records, i)) } as const);
      }
      await database.batch(batch);
      await onBatch();
    }
  } finally {
    await database.close();
  }
};

/** Returns the mean patch of a record file, planar RGB, 3 x 32 x 32. Throws failedPrecondition RECORDS_EMPTY. */
export const meanPatch = async (
  recordPath: string,
  onBatch: () => Promise<void> = async () => {},
): Promise<Float64Array> => {
  const sums = new Float64Array(PATCH_BYTES); // of integers below 2^53: exact, whatever the order
  let count = 0;
  for await (const records of readRecords(recordPath)) {
    for (let i = 0; i < recordCount(records); i++) {
      const { pixels } = recordAt(records, i);
      for (let at = 0; at < PATCH_BYTES; at++) sums[at]! += pixels[at]!;
    }
    count += recordCount(records);
    await onBatch();
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

/** Returns what makes the Datum of a record; the planes are turned in one place, for encoding copies them. */
const datumWriter = (): ((record: { readonly label: number; readonly pixels: Uint8Array }) => Uint8Array) => {
  const data = Buffer.alloc(PATCH_BYTES);
  return ({ label, pixels }) => {
    for (let channel = 0; channel < CHANNELS; channel++) {
      data.set(pixels.subarray(channel * PLANE, (channel + 1) * PLANE), (CHANNELS - 1 - channel) * PLANE);
    }
    return Datum.encode({ ...SHAPE, data, label, floatData: [] }).finish();
  };
};
