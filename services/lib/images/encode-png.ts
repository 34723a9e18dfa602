/** @file Writes PNG files whose bytes depend on the pixels (and sharp's version) alone. */
import sharp from "sharp";

/** Pixels to encode; interleaved, row-major, `data.length` = width * height * channels. */
export interface PngPixels {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Every setting that has a say in the bytes is fixed here. */
const SETTINGS = { compressionLevel: 6, adaptiveFiltering: false, palette: false, progressive: false } as const;

/** Returns an 8-bit grey or RGB PNG without metadata. Throws RangeError where the data does not fit the size. */
export const encodePng = async ({ width, height, channels, data }: PngPixels): Promise<Uint8Array> => {
  const expected = width * height * channels;
  if (data.length !== expected) throw new RangeError(`Cannot encode PNG: ${data.length} values for ${expected}`);
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .png(SETTINGS)
    .toBuffer();
};
