/** @file PNG files that say whose they are: what a user has under a result's name and this product has not written is never replaced. */
import { encodePng, type PngPixels } from "./encode-png.ts";

/** Where the first chunk (IHDR) ends: 8 bytes of signature, length, type, 13 bytes, checksum. */
const MARK_AT = 33;
/** A chunk tEXt of 17 bytes with its checksum (PNG specification, 11.3.3.3): the keyword is one of the registered ones. */
const MARK = Buffer.from("\0\0\0\x11tEXtSoftware\0radhical\xe5\x76\xc6\x4e", "latin1");

/** Bytes of a file from which `isResultPng` tells. */
export const RESULT_HEAD_BYTES = MARK_AT + MARK.length;

/** Returns a PNG as `encodePng` does, marked as ours. */
export const encodeResultPng = async (pixels: PngPixels): Promise<Uint8Array> => {
  const png = await encodePng(pixels);
  return Buffer.concat([png.subarray(0, MARK_AT), MARK, png.subarray(MARK_AT)]);
};

/** Returns whether a file that begins so was written by `encodeResultPng`. */
export const isResultPng = (head: Uint8Array): boolean => MARK.equals(head.subarray(MARK_AT, RESULT_HEAD_BYTES));
