/** @file Decides at import whether a file can be used: a file that passes here is readable to its last pixel. */
import { decoder, decoding, type ImageHeader, type ImageLimits, readHeader, unsupported } from "./image-header.ts";
import { checkFaithful, maskPixels } from "./mask.ts";

/** An untiled image with more pixels than this is stored as tiled TIFF too, so that a region never decodes the whole. */
export const LARGE_IMAGE_PIXELS = 4_000_000;

/**
 * Returns the header of an 8-bit grey or RGB image, with or without alpha, whose every pixel decodes.
 * Throws invalidArgument IMAGE_UNREADABLE, IMAGE_UNSUPPORTED (format, bit depth, colours, pages) or IMAGE_TOO_LARGE;
 * what the header gives away is refused before pixels are allocated, and large images are decoded in strips.
 */
export const describeImage = async (bytes: Uint8Array, limits: ImageLimits): Promise<ImageHeader> => {
  const header = await readHeader(bytes, "image", limits);
  if (header.bits === 16) {
    throw unsupported("image", "it has 16 bits per channel", "save it with 8 bits per channel");
  }
  // Shrinking makes libvips decode every pixel without holding the image.
  const shrunk = decoder(bytes, header.format, { sequentialRead: true })
    .resize(8, 8, { fit: "fill", kernel: "linear", fastShrinkOnLoad: false })
    .raw();
  await decoding("image", shrunk.toBuffer());
  return header;
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
