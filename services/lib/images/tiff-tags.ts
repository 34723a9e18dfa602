/** @file The few TIFF tags that decide what we accept and that sharp does not report: tiles, compression, inverted grey. */

/** Tag numbers of TIFF 6.0. */
export const TIFF_TAG = { bitsPerSample: 258, compression: 259, photometric: 262, tileWidth: 322 } as const;

const ENTRIES_MAX = 4096;

/** Byte lengths of a classic TIFF's and a BigTIFF's directory parts. */
const layout = (big: boolean) =>
  big
    ? { firstOffsetAt: 8, countBytes: 8, entryBytes: 20, valueAt: 12 }
    : { firstOffsetAt: 4, countBytes: 2, entryBytes: 12, valueAt: 8 };

/**
 * Returns the first directory's numeric value of a tag that holds one SHORT or LONG (or BigTIFF LONG8), or undefined
 * where the file is no TIFF, lacks the tag or is cut short: whether the file can be read is for the decoder to say.
 */
export const readTiffTag = (bytes: Uint8Array, tag: number): number | undefined => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const order = view.getUint16(0);
    if (order !== 0x4949 && order !== 0x4d4d) return undefined;
    return findTag(view, tag, order === 0x4949);
  } catch (thrown) {
    if (thrown instanceof RangeError) return undefined; // an offset beyond the end
    throw thrown;
  }
};

/** Returns whether the file is a tiled TIFF, of which a region can be read without decoding the whole. */
export const isTiled = (bytes: Uint8Array): boolean => readTiffTag(bytes, TIFF_TAG.tileWidth) !== undefined;

const findTag = (view: DataView, tag: number, little: boolean): number | undefined => {
  const big = view.getUint16(2, little) === 43;
  const { firstOffsetAt, countBytes, entryBytes, valueAt } = layout(big);
  const long = (at: number): number => (big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  const directory = long(firstOffsetAt);
  const entries = big ? long(directory) : view.getUint16(directory, little);
  for (let i = 0; i < Math.min(entries, ENTRIES_MAX); i++) {
    const entry = directory + countBytes + i * entryBytes;
    if (view.getUint16(entry, little) !== tag) continue;
    const isShort = view.getUint16(entry + 2, little) === 3;
    return isShort ? view.getUint16(entry + valueAt, little) : long(entry + valueAt);
  }
  return undefined;
};
