/** @file Decides at import whether a file can be used: a file that passes here is readable to its last pixel. */
import type { RgbImage } from "../method/image.ts";
import { type StainDensity, stainDensity } from "../method/normalisation.ts";
import { decoder, decoding, type ImageHeader, type ImageLimits, readHeader, unsupported } from "./image-header.ts";
import { checkFaithful, maskPixels } from "./mask.ts";

/** An untiled image with more pixels than this is stored as tiled TIFF too, so that a region never decodes the whole. */
export const LARGE_IMAGE_PIXELS = 4_000_000;

/** What is known of an image that can be used. */
export interface DescribedImage extends ImageHeader {
  readonly stainDensity: StainDensity;
}

/**
 * Returns the header and the stain density of an 8-bit grey or RGB image, with or without alpha, whose every pixel decodes.
 * Throws invalidArgument IMAGE_UNREADABLE, IMAGE_UNSUPPORTED (format, bit depth, colours, pages) or IMAGE_TOO_LARGE;
 * what the header gives away is refused before pixels are allocated, and large images are decoded in strips.
 */
export const describeImage = async (bytes: Uint8Array, limits: ImageLimits): Promise<DescribedImage> => {
  const header = await readHeader(bytes, "image", limits);
  if (header.bits === 16) {
    throw unsupported("image", "it has 16 bits per channel", "save it with 8 bits per channel");
  }
  return { ...header, stainDensity: stainDensity(await overview(bytes, header)) };
};

/** The image, or every n-th pixel of every n-th row of a large one: libvips decodes all of it without holding the whole. */
const overview = async (bytes: Uint8Array, { format, width, height }: ImageHeader): Promise<RgbImage> => {
  const n = Math.ceil(Math.sqrt((width * height) / LARGE_IMAGE_PIXELS));
  const size = { width: Math.ceil(width / n), height: Math.ceil(height / n) };
  const whole = decoder(bytes, format, { sequentialRead: true }).removeAlpha().toColourspace("srgb");
  const at = (kernel: "linear" | "nearest"): Promise<Uint8Array> => {
    const shrunk = n === 1 ? whole : whole.clone().resize({ ...size, fit: "fill", kernel, fastShrinkOnLoad: false });
    return decoding("image", shrunk.raw().toBuffer());
  };
  // Means read every pixel but blur what is palest and darkest away; samples keep it but may not come by the last tile.
  if (n > 1) await at("linear");
  return { ...size, data: await at("nearest") };
};

/**
 * Returns the header of a lossless 8- or 16-bit mask with one value per pixel, whose every pixel decodes.
 * Throws as `describeImage` does; also IMAGE_UNSUPPORTED for a lossy file, unequal colour channels or transparency.
 */
export const describeMask = async (bytes: Uint8Array, limits: ImageLimits): Promise<ImageHeader> => {
  const header = await readHeader(bytes, "mask", limits);
  checkFaithful(bytes, header);
  await maskPixels(bytes, header);
  return header;
};
