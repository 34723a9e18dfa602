/** @file What a plane of bits holds, pixel by pixel, for tests. */
import type { BitPlane } from "./bit-plane.ts";

/** Returns the plane as one byte per pixel, 0 or 1, row-major. */
export const unpackPlane = ({ width, height, stride, words }: BitPlane): Uint8Array => {
  const bytes = new Uint8Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) bytes[i] = (words[y * stride + (x >>> 5)]! >>> (x & 31)) & 1;
  }
  return bytes;
};
