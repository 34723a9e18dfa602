/** @file Reads annotation masks without changing a value: 8 or 16 bits, grey or equal colour channels, lossless files only. */
import type { MaskKind } from "../method/image.ts";
import { decoder, decoding, type ImageHeader, readHeader, unsupported } from "./image-header.ts";
import { readTiffTag, TIFF_TAG } from "./tiff-tags.ts";

/** How mask values are read (METHOD.md 1): `auto` takes more than two distinct values for instance labels. */
export type MaskInterpretation = "auto" | MaskKind;

/** A decoded mask; row-major. */
export interface DecodedMask {
  readonly width: number;
  readonly height: number;
  /** 0 is not annotated. `labels`: the file's value, one per nucleus; `binary`: 1 is annotated. */
  readonly labels: Uint16Array<ArrayBuffer>;
  readonly kind: MaskKind;
}

/** None, CCITT (1 bit), LZW, Deflate (both numbers), PackBits, LZMA, Zstandard. */
const LOSSLESS_TIFF: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 8, 32946, 32773, 34925, 50000]);

/**
 * Throws IMAGE_UNSUPPORTED where a decoded value may not be the label that was drawn: lossy compression, or a TIFF whose 0
 * is white, which some programs (ImageJ) write for an inverted display of unchanged values and every decoder inverts.
 */
export const checkFaithful = (bytes: Uint8Array, { format }: ImageHeader): void => {
  const isBilevel = readTiffTag(bytes, TIFF_TAG.bitsPerSample) === 1;
  if (format === "tiff" && !isBilevel && readTiffTag(bytes, TIFF_TAG.photometric) === 0) {
    throw unsupported("mask", "its grey scale is inverted (0 is white)", "save it with 0 as black");
  }
  const tiffCompression = format === "tiff" ? (readTiffTag(bytes, TIFF_TAG.compression) ?? 1) : undefined;
  if (format === "png" || (tiffCompression !== undefined && LOSSLESS_TIFF.has(tiffCompression))) return;
  const wrong = format === "jpeg" ? "it is a JPEG file" : `its TIFF compression ${tiffCompression} is not lossless`;
  throw unsupported("mask", `${wrong}, which changes labels`, "export the mask as PNG or TIFF from its source");
};

/**
 * Returns the mask of a lossless PNG or TIFF file, values exactly as stored up to 65535.
 * Throws invalidArgument IMAGE_UNREADABLE or IMAGE_UNSUPPORTED.
 */
export const decodeMask = async (bytes: Uint8Array, interpretation: MaskInterpretation): Promise<DecodedMask> => {
  const header = await readHeader(bytes, "mask");
  checkFaithful(bytes, header);
  const values = await maskPixels(bytes, header);
  const kind = interpretation === "auto" ? (hasMoreThanTwo(values) ? "labels" : "binary") : interpretation;
  const labels = new Uint16Array(values); // not `from` with a function: 20 ms for 512 x 512, this and the loop 0.3
  if (kind === "binary") for (let i = 0; i < labels.length; i++) labels[i] = labels[i]! > 0 ? 1 : 0;
  return { width: header.width, height: header.height, labels, kind };
};

/**
 * Returns the one value of every pixel, row-major. Throws IMAGE_UNREADABLE where the file does not decode, and
 * IMAGE_UNSUPPORTED where colour channels differ or a pixel is transparent: then there is no one value.
 */
export const maskPixels = async (bytes: Uint8Array, header: ImageHeader): Promise<Uint8Array | Uint16Array> => {
  const { format, bits, channels } = header;
  // Left to itself, sharp makes everything 8-bit sRGB; and it drops the alpha of a grey image asked for as "b-w".
  const space = bits === 16 ? (channels === 1 ? "grey16" : "rgb16") : channels === 1 ? "b-w" : "srgb";
  const pipeline = decoder(bytes, format)
    .toColourspace(space)
    .raw({ depth: bits === 16 ? "ushort" : "uchar" });
  const { data, info } = await decoding("mask", pipeline.toBuffer({ resolveWithObject: true }));
  const samples = bits === 16 ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  return info.channels === 1 ? samples : firstChannel(samples, info.channels, bits === 16 ? 65535 : 255);
};

const firstChannel = (
  samples: Uint8Array | Uint16Array,
  channels: number,
  opaque: number,
): Uint8Array | Uint16Array => {
  const pixels = samples.length / channels;
  const first = samples.slice(0, pixels);
  for (let i = 0; i < pixels; i++) {
    const at = i * channels;
    const value = samples[at]!;
    if (channels >= 3 && (samples[at + 1] !== value || samples[at + 2] !== value)) {
      throw unsupported("mask", "its colour channels differ", "export labels as one grey channel, not as colours");
    }
    if (channels % 2 === 0 && samples[at + channels - 1] !== opaque) {
      throw unsupported("mask", "it has transparent pixels", "export it without an alpha channel");
    }
    first[i] = value;
  }
  return first;
};

const hasMoreThanTwo = (values: Uint8Array | Uint16Array): boolean => {
  const one = values[0];
  let i = 1;
  while (i < values.length && values[i] === one) i++;
  const other = values[i];
  while (i < values.length && (values[i] === one || values[i] === other)) i++;
  return i < values.length;
};
