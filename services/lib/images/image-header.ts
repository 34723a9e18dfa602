/** @file What a file claims to be, read and judged before a single pixel is allocated. */
import sharp, { type Metadata, type SharpInput, type SharpOptions } from "sharp";
import { type DomainError, invalid } from "../errors.ts";
import { isTiled } from "./tiff-tags.ts";

/** The file formats that are taken in. */
export type ImageFormat = "png" | "tiff" | "jpeg";

/** What a file is going to be used as; only decides the words of an error and what is accepted. */
export type ImagePurpose = "image" | "mask";

/** What a file's header says. Nothing is known yet about whether its pixels can be decoded. */
export interface ImageHeader {
  readonly width: number;
  readonly height: number;
  readonly format: ImageFormat;
  /** 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha. */
  readonly channels: number;
  /** Bits per channel once decoded; 1, 2 and 4 bits decode to 8. */
  readonly bits: 8 | 16;
  /** Whether a region can be read without decoding the whole file. */
  readonly tiled: boolean;
}

/** How much may be read: images with more pixels are refused. */
export interface ImageLimits {
  readonly maxPixels: number;
}

const SIGNATURES: readonly (readonly [ImageFormat, readonly number[]])[] = [
  ["png", [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ["jpeg", [0xff, 0xd8, 0xff]],
  ["tiff", [0x49, 0x49, 42, 0]],
  ["tiff", [0x4d, 0x4d, 0, 42]],
  ["tiff", [0x49, 0x49, 43, 0]],
  ["tiff", [0x4d, 0x4d, 0, 43]],
];

const SPACES: ReadonlySet<string> = new Set(["srgb", "b-w", "rgb16", "grey16"]);

/** Returns the format by the file's first bytes, or undefined. Other decoders (SVG, HEIF, ...) never see the bytes. */
const sniffFormat = (bytes: Uint8Array): ImageFormat | undefined =>
  SIGNATURES.find(([, signature]) => signature.every((byte, i) => bytes[i] === byte))?.[0];

/**
 * Returns a sharp pipeline that decodes the file as it is: pixel values are not converted by an ICC profile. A damaged file is an error.
 */
export const decoder = (bytes: SharpInput, format: ImageFormat, options: SharpOptions = {}) =>
  sharp(bytes, {
    ignoreIcc: true,
    limitInputPixels: false, // the header has been judged; sharp's own limit would only repeat it
    // libvips reports a broken TIFF tile as a warning; PNG warnings are about harmless chunks
    failOn: format === "tiff" ? "warning" : "error",
    ...options,
  });

/** Awaits a sharp pipeline. Throws IMAGE_UNREADABLE where the decoder fails, IMAGE_UNSUPPORTED where it does not know the compression. */
export const decoding = async <T>(purpose: ImagePurpose, result: Promise<T>): Promise<T> => {
  try {
    return await result;
  } catch (cause) {
    const detail = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    // "built without JPEG2000 support", "LZMA compression support is not configured": nothing else says what it was built with
    if (/\bsupport\b/.test(detail))
      throw unsupported(
        purpose,
        `its compression is none that is known here ("${detail}")`,
        "save it with LZW or Deflate",
      );
    throw invalid(
      "IMAGE_UNREADABLE",
      `Cannot read ${purpose}: the file is damaged or cut short ("${detail}"); copy it again or save it anew`,
      cause,
    );
  }
};

/**
 * Returns the header of a PNG, TIFF or JPEG file with 1 to 4 channels of at most 16 bits.
 * Throws IMAGE_UNREADABLE, IMAGE_UNSUPPORTED or IMAGE_TOO_LARGE (all invalidArgument); no pixel is allocated.
 */
export const readHeader = async (
  bytes: Uint8Array,
  purpose: ImagePurpose,
  limits?: ImageLimits,
): Promise<ImageHeader> => {
  const format = sniffFormat(bytes);
  if (format === undefined) throw unknownFormat(bytes, purpose);
  const metadata = await decoding(purpose, decoder(bytes, format).metadata());
  if (limits !== undefined) checkSize(metadata, purpose, limits);
  checkPixels(metadata, purpose);
  await checkPages(bytes, format, metadata, purpose);
  return {
    width: metadata.width,
    height: metadata.height,
    format,
    channels: metadata.channels,
    bits: metadata.depth === "ushort" ? 16 : 8,
    tiled: isTiled(bytes),
  };
};

/** Returns the error for a file that we could read but do not take: what is wrong and what to do. */
export const unsupported = (purpose: ImagePurpose, wrong: string, cure: string): DomainError =>
  invalid("IMAGE_UNSUPPORTED", `Cannot use ${purpose}: ${wrong}; ${cure}`);

const unknownFormat = (bytes: Uint8Array, purpose: ImagePurpose): DomainError => {
  if (bytes.length === 0)
    return invalid("IMAGE_UNREADABLE", `Cannot read ${purpose}: the file is empty; copy it again`);
  const start = Buffer.from(bytes.subarray(0, 8)).toString("hex");
  return unsupported(
    purpose,
    `it is not a PNG, TIFF or JPEG file (it starts with the bytes "${start}")`,
    "convert it to PNG or TIFF",
  );
};

const checkSize = ({ width, height }: Metadata, purpose: ImagePurpose, { maxPixels }: ImageLimits): void => {
  if (width * height <= maxPixels) return;
  throw invalid(
    "IMAGE_TOO_LARGE",
    `Cannot use ${purpose}: ${width} x ${height} pixels are more than the limit of ${maxPixels}; ` +
      "cut it into regions or raise the limit of the service",
  );
};

const checkPixels = ({ depth, space, channels, orientation = 1 }: Metadata, purpose: ImagePurpose): void => {
  if (orientation > 1) {
    const wrong = `a tag says that it is to be shown turned or mirrored (orientation ${orientation}), so that it may not lie as its ${purpose === "mask" ? "image" : "mask"} does`;
    throw unsupported(purpose, wrong, "save it as it is to be seen, without the tag");
  }
  if (depth !== "uchar" && depth !== "ushort") {
    throw unsupported(
      purpose,
      `its channels are of type "${depth}"`,
      `save it with ${purpose === "mask" ? "8 or 16 unsigned" : "8"} bits per channel`,
    );
  }
  if (!SPACES.has(space) || channels > 4) {
    throw unsupported(purpose, `its colours are "${space}" with ${channels} channels`, "save it as grey or RGB");
  }
};

/** Refuses a stack of equal pages, of which only the first would be seen; the pages of a pyramid shrink. */
const checkPages = async (bytes: Uint8Array, format: ImageFormat, first: Metadata, purpose: ImagePurpose) => {
  if ((first.pages ?? 1) < 2) return;
  const second = await decoding(purpose, decoder(bytes, format, { page: 1 }).metadata());
  if (second.width < first.width && second.height < first.height) return;
  throw unsupported(purpose, `it holds ${first.pages} pages`, "save each page as a file of its own");
};
