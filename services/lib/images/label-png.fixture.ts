/** @file For tests and the demo: masks of instance labels as annotation tools write them. */
import sharp from "sharp";

/** Returns a 16-bit grey PNG of instance labels (row-major, width * height of them), which sharp's defaults make the same everywhere. */
export const encodeLabelPng = async (
  width: number,
  height: number,
  labels: Uint16Array<ArrayBuffer>,
): Promise<Uint8Array> => {
  if (labels.length !== width * height)
    throw new RangeError(`Cannot encode ${labels.length} labels as ${width}x${height}`);
  return sharp(labels, { raw: { width, height, channels: 1 }, limitInputPixels: false })
    .toColourspace("grey16")
    .png()
    .toBuffer();
};
