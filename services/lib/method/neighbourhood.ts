/** @file Square neighbourhoods of a 0/1 mask, in time independent of their size. */

/**
 * Returns a 0/1 mask that is 1 where some set pixel lies in the square from `before` pixels before to `after` pixels after, both axes.
 * With `before` = `after` = r this is r iterations of dilation by a 3x3 square.
 */
export const anyWithin = (
  mask: Uint8Array,
  width: number,
  height: number,
  before: number,
  after: number,
): Uint8Array => {
  const inRow = new Uint8Array(mask.length);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    let last = Number.NEGATIVE_INFINITY;
    for (let seen = 0; seen < Math.min(after, width); seen++) if (mask[start + seen] !== 0) last = seen;
    for (let x = 0; x < width; x++) {
      const ahead = x + after;
      if (ahead < width && mask[start + ahead] !== 0) last = ahead;
      if (last >= x - before) inRow[start + x] = 1;
    }
  }
  const result = new Uint8Array(mask.length);
  const last = new Int32Array(width).fill(-before - 1);
  const see = (y: number): void => {
    for (let x = 0, i = y * width; x < width; x++, i++) if (inRow[i] !== 0) last[x] = y;
  };
  for (let seen = 0; seen < Math.min(after, height); seen++) see(seen);
  for (let y = 0; y < height; y++) {
    if (y + after < height) see(y + after);
    for (let x = 0, i = y * width; x < width; x++, i++) if (last[x]! >= y - before) result[i] = 1;
  }
  return result;
};
