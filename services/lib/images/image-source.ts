/** @file Reads regions of a stored image as RGB, always the same pixels whatever the file's format and the region. */
import type { Rect, RgbImage } from "../method/image.ts";
import { LARGE_IMAGE_PIXELS } from "./describe-image.ts";
import { decoder, decoding, type ImageFormat, type ImageLimits, readHeader } from "./image-header.ts";

/** An open image. */
export interface ImageSource {
  readonly width: number;
  readonly height: number;
  /** Returns the pixels of a rectangle in level-1 pixels. Throws RangeError where it is empty or leaves the image. */
  readRegion(rect: Rect): Promise<RgbImage>;
}

/**
 * Returns the image of a PNG, TIFF or JPEG file: ICC profiles, orientation and alpha ignored. An image of at
 * most 4 Mpixel is decoded once, here; of a larger one each region is decoded from its tiles (an untiled large file works
 * too, but decodes the whole for every region: hand in `toTiledTiff`'s).
 * `change` is applied to what is read; it must treat every pixel alike, wherever it lies.
 * Throws invalidArgument IMAGE_UNREADABLE, IMAGE_UNSUPPORTED or IMAGE_TOO_LARGE; `readRegion` IMAGE_UNREADABLE.
 */
export const openImage = async (
  bytes: Uint8Array,
  limits?: ImageLimits,
  change: (image: RgbImage) => RgbImage = (image) => image,
): Promise<ImageSource> => {
  const { width, height, format } = await readHeader(bytes, "image", limits);
  const read =
    width * height <= LARGE_IMAGE_PIXELS
      ? regionsOf(change(await decodeRgb(bytes, format, { x: 0, y: 0, width, height })))
      : async (rect: Rect) => change(await decodeRgb(bytes, format, rect));
  return {
    width,
    height,
    readRegion: async (rect) => {
      checkInside(rect, width, height);
      return read(rect);
    },
  };
};

const decodeRgb = async (bytes: Uint8Array, format: ImageFormat, { x, y, width, height }: Rect): Promise<RgbImage> => {
  const pipeline = decoder(bytes, format)
    .extract({ left: x, top: y, width, height })
    .removeAlpha()
    .toColourspace("srgb")
    .raw();
  return { width, height, data: await decoding("image", pipeline.toBuffer()) };
};

const regionsOf =
  (image: RgbImage) =>
  async ({ x, y, width, height }: Rect): Promise<RgbImage> => {
    if (width === image.width && height === image.height) return image;
    const data = new Uint8Array(3 * width * height);
    for (let row = 0; row < height; row++) {
      const start = 3 * ((y + row) * image.width + x);
      data.set(image.data.subarray(start, start + 3 * width), 3 * row * width);
    }
    return { width, height, data };
  };

const checkInside = ({ x, y, width, height }: Rect, imageWidth: number, imageHeight: number): void => {
  const whole = [x, y, width, height].every(Number.isInteger);
  const inside = x >= 0 && y >= 0 && x + width <= imageWidth && y + height <= imageHeight;
  if (whole && width > 0 && height > 0 && inside) return;
  throw new RangeError(
    `Cannot read region ${width} x ${height} at ${x}, ${y} of an image of ${imageWidth} x ${imageHeight}`,
  );
};
