/** @file The layout of a record file, CIFAR-10's binary one: per patch a label byte and 3072 planar RGB bytes, in list order. */
import { DomainError } from "../errors.ts";
import { PATCH_BYTES } from "../method/patches.ts";

/** Bytes of one record. */
export const RECORD_BYTES = 1 + PATCH_BYTES;

/** Returns the number of records in so many bytes. Throws dataLoss RECORDS_CORRUPT where a record is cut. */
export const countRecords = (size: number): number => {
  if (size % RECORD_BYTES === 0) return size / RECORD_BYTES;
  throw new DomainError(
    "dataLoss",
    "RECORDS_CORRUPT",
    `Cannot read record file: its ${size} bytes are not a multiple of ${RECORD_BYTES}; build the database again`,
  );
};

/** Returns the number of records of a whole file or of a piece of whole records. Throws dataLoss RECORDS_CORRUPT. */
export const recordCount = (bytes: Uint8Array): number => countRecords(bytes.length);

/** Returns record `index`, its pixels (planar RGB, 3 x 32 x 32) as a view. Throws RangeError beyond the end. */
export const recordAt = (bytes: Uint8Array, index: number): { readonly label: number; readonly pixels: Uint8Array } => {
  const start = index * RECORD_BYTES;
  const label = bytes[start];
  if (label === undefined) throw new RangeError(`Cannot read record ${index} of ${bytes.length / RECORD_BYTES}`);
  return { label, pixels: bytes.subarray(start + 1, start + RECORD_BYTES) };
};
