/** @file For tests: a coarser level's mask in level-1 pixels, every pixel an n x n block. */
import { levelSize } from "./levels.ts";

/** Returns a mask of `n` times as large pixels in those of an image of width x height. Throws RangeError where it is not of that level's size. */
export function enlargeMask(mask: ArrayLike<number>, width: number, height: number, n: number): Uint8Array {
  const stride = levelSize(width, n);
  if (mask.length !== stride * levelSize(height, n)) throw new RangeError(`Cannot enlarge ${mask.length} pixels`);
  return Uint8Array.from(
    { length: width * height },
    (_, i) => mask[Math.floor(i / width / n) * stride + Math.floor((i % width) / n)]!,
  );
}
