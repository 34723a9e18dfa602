/** @file Quantiles of 8-bit values. */

/** Returns the least value that `count` of a histogram's 256 counts together do not exceed; 255 where there are fewer. */
export const quantile = (histogram: Uint32Array | Int32Array, count: number): number => {
  let seen = 0;
  for (let value = 0; value < 256; value++) {
    seen += histogram[value]!;
    if (seen >= count) return value;
  }
  return 255;
};
