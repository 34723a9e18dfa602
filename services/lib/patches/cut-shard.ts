/** @file Cuts the patches of an image's level right into their shard: the pixels are written once, where they stay. */
import type { RgbImage } from "../method/image.ts";
import { type Centres, cutPatches, PATCH_BYTES, ROTATIONS } from "../method/patches.ts";
import { ROW_BYTES, type RowCopier } from "../method/row-copier.ts";
import { BLOCK, CHECKSUM_AT, checksum, tarHeader } from "./ustar.ts";

/** An entry is `<patch>.rgb`, whole blocks long, and `<patch>.cls`, one digit. */
const CLS_AT = BLOCK + PATCH_BYTES;
const LABEL_AT = CLS_AT + BLOCK;
const ENTRY = LABEL_AT + BLOCK;
const MAX_LABEL = 9;
const DIGIT_0 = "0".charCodeAt(0);

/** Centres of a level, kind after kind, with the labels of their patches. */
export interface LabelledCentres extends Centres {
  readonly labels: Uint8Array;
}

/** Where a shard lies in a copier's memory, in bytes. */
export interface ShardPlace {
  readonly start: number;
  readonly end: number;
}

/**
 * Writes the shard (see patch-shard.ts) of the patches that `patchNames` names into the copier's memory and returns where it lies: at
 * or soon after `from`, a multiple of 8. What lies before `from` stays. Throws RangeError where an id or a label cannot be stored.
 */
export const cutShard = (
  copier: RowCopier,
  from: number,
  imageId: string,
  levelImage: RgbImage,
  { xs, ys, labels }: LabelledCentres,
): ShardPlace => {
  if (!/^[\w-]{1,80}$/.test(imageId)) throw new RangeError(`Cannot name patches after image "${imageId}"`);
  if (labels.some((label) => label > MAX_LABEL)) throw new RangeError(`Cannot store a label above ${MAX_LABEL}`);
  const start = from + ENTRY; // the place of one entry holds what the headers of all others are made from
  const end = start + ENTRY * labels.length * ROTATIONS.length;
  copier.reserve(end + 2 * BLOCK);
  cutPatches(copier, levelImage, { xs, ys }, { offset: start + BLOCK, stride: ENTRY });
  const { bytes } = copier;
  for (let first = 0, digits = 1; first < labels.length; first = 10 ** digits++) {
    const last = Math.min(10 ** digits, labels.length);
    writeHeaders(copier, { start, first, last, digits }, writeTemplates(bytes, from, `${imageId}_`, digits));
  }
  for (let centre = 0, at = start + LABEL_AT; centre < labels.length; centre++) {
    for (let i = 0; i < ROTATIONS.length; i++, at += ENTRY) bytes[at] = DIGIT_0 + labels[centre]!;
  }
  bytes.fill(0, end, end + 2 * BLOCK);
  return { start, end: end + 2 * BLOCK };
};

/** Centres whose numbers have as many digits: from `first` to before `last`, in a shard at `start`. */
interface CentreRange {
  readonly start: number;
  readonly first: number;
  readonly last: number;
  readonly digits: number;
}

const writeHeaders = (copier: RowCopier, range: CentreRange, templates: readonly Template[]): void => {
  const { start, first, last, digits } = range;
  const firstAt = start + ENTRY * ROTATIONS.length * first;
  for (let centre = first, at = firstAt; centre < last; centre++) {
    for (const { rgb, cls } of templates) {
      copier.copyRows(rgb.at, at, ROW_BYTES, BLOCK / ROW_BYTES);
      copier.copyRows(cls.at, at + CLS_AT, ROW_BYTES, (2 * BLOCK) / ROW_BYTES);
      at += ENTRY;
    }
  }
  copier.flush();
  for (let centre = first, at = firstAt; centre < last; centre++) {
    for (const { rgb, cls } of templates) {
      finishHeader(copier.bytes, at, rgb, centre, digits);
      finishHeader(copier.bytes, at + CLS_AT, cls, centre, digits);
      at += ENTRY;
    }
  }
};

/** A header with the number of centre 0, and its checksum. */
interface Header {
  readonly at: number;
  /** Where in it the number belongs. */
  readonly numberAt: number;
  /** The checksum. */
  readonly sum: number;
}

/** The headers of a centre's patch at one rotation. */
interface Template {
  readonly rgb: Header;
  readonly cls: Header;
}

/** Writes the headers of centres whose number has so many digits, each header of a label with that label's empty block behind it. */
const writeTemplates = (bytes: Uint8Array, from: number, prefix: string, digits: number): Template[] =>
  ROTATIONS.map((rotation, i): Template => {
    const write = (at: number, kind: string, size: number): Header => {
      const header = tarHeader(`${prefix}${"0".repeat(digits)}_${rotation}.${kind}`, size);
      bytes.set(header, at);
      return { at, numberAt: prefix.length, sum: checksum(header) };
    };
    const at = from + 3 * BLOCK * i;
    bytes.fill(0, at + 2 * BLOCK, at + 3 * BLOCK);
    return { rgb: write(at, "rgb", PATCH_BYTES), cls: write(at + BLOCK, "cls", 1) };
  });

/** Writes the centre's number and the checksum: six octal digits. */
const finishHeader = (bytes: Uint8Array, at: number, header: Header, centre: number, digits: number): void => {
  let { sum } = header;
  let rest = centre;
  for (let i = at + header.numberAt + digits - 1; rest > 0; i--) {
    const above = Math.floor(rest / 10);
    const digit = rest - 10 * above;
    bytes[i] = DIGIT_0 + digit;
    sum += digit;
    rest = above;
  }
  for (let i = at + CHECKSUM_AT + 5; sum > 0; i--) {
    bytes[i] = DIGIT_0 + (sum & 7);
    sum >>>= 3;
  }
};
