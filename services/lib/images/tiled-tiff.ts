/** @file Lossless tiled TIFF: what large images are kept as, so that a region is read without decoding the whole. */
import { decoder, decoding, readHeader } from "./image-header.ts";

const TILE_PX_MAX = 512;

/** Returns the tile side: TIFF wants a multiple of 16, and libvips refuses tiles much larger than the image. */
const tileSide = (width: number, height: number): number =>
  Math.min(TILE_PX_MAX, 16 * Math.ceil(Math.max(width, height) / 16));

/**
 * Returns the image as a tiled RGB TIFF (Deflate, tiles of at most 512 px) that reads as exactly the same pixels, without
 * alpha. Throws invalidArgument IMAGE_UNREADABLE or IMAGE_UNSUPPORTED.
 */
export const toTiledTiff = async (bytes: Uint8Array): Promise<Uint8Array> => {
  const { format, width, height } = await readHeader(bytes, "image");
  const side = tileSide(width, height);
  const tiled = decoder(bytes, format, { sequentialRead: true })
    .removeAlpha()
    .toColourspace("srgb")
    .tiff({ compression: "deflate", predictor: "horizontal", tile: true, tileWidth: side, tileHeight: side });
  return decoding("image", tiled.toBuffer());
};
