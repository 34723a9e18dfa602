/** @file A tile's decisions as the store holds them between levels and at the end. */
import type { LevelCounts } from "../method/cascade.ts";
import type { TileDecisions } from "../method/decisions.ts";
import { objectKey } from "../objects/object-key.ts";
import type { LevelCounts as LevelCountsMessage } from "../proto/radhical/v1/segmentation.ts";
import { TileState } from "../proto/radhical/v1/work.ts";
import { encode } from "./documents.ts";

/** Returns the folder of an image's states between levels. */
export const statesFolder = (prefix: string): string => objectKey(prefix, "states");

/** Of the header's length. */
const PREFIX_BYTES = 4;

/**
 * Returns the bytes to store: the header's length (uint32, little endian), the header (`TileState`, padded to whole floats), P2 of each level
 * (float32, little endian) and the decisions of each level (a byte a pixel). A message would copy them three times.
 */
export function encodeTileState({ tile, image, reductions, levels }: TileDecisions): Uint8Array {
  const header = encode(TileState, {
    ...tile,
    imageWidth: image.width,
    imageHeight: image.height,
    reductions: [...reductions],
    counts: levels.map(({ counts }) => countsMessage(counts)),
  });
  const prefix = Buffer.alloc(paddedLength(header.length));
  prefix.writeUInt32LE(header.length);
  prefix.set(header, PREFIX_BYTES);
  return Buffer.concat([
    prefix,
    ...levels.map(({ p2 }) => new Uint8Array(p2.buffer, p2.byteOffset, p2.byteLength)),
    ...levels.map(({ decisions }) => decisions),
  ]);
}

const paddedLength = (headerLength: number): number =>
  PREFIX_BYTES + Math.ceil(headerLength / Float32Array.BYTES_PER_ELEMENT) * Float32Array.BYTES_PER_ELEMENT;

/** Returns what `encodeTileState` stored; it may share memory with `stored`. */
export function decodeTileState(stored: Uint8Array): TileDecisions {
  // Floats have to be aligned.
  const bytes = stored.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0 ? stored : new Uint8Array(stored);
  const headerLength = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = TileState.decode(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + headerLength));
  const { x, y, width, height, imageWidth, imageHeight, reductions } = header;
  const counts = header.counts.map(countsOf);
  let floatsAt = paddedLength(headerLength);
  let decisionsAt = floatsAt + counts.reduce((sum, { computed }) => sum + Float32Array.BYTES_PER_ELEMENT * computed, 0);
  const levels = counts.map((own) => {
    const p2 = new Float32Array(bytes.buffer, bytes.byteOffset + floatsAt, own.computed);
    const decisions = bytes.subarray(decisionsAt, decisionsAt + own.computed);
    floatsAt += p2.byteLength;
    decisionsAt += own.computed;
    return { counts: own, decisions, p2 };
  });
  return { tile: { x, y, width, height }, image: { width: imageWidth, height: imageHeight }, reductions, levels };
}

/** Returns counts as messages carry them. */
export const countsMessage = ({ level, computed, accepted, rejected }: LevelCounts): LevelCountsMessage => ({
  level,
  computed: BigInt(computed),
  accepted: BigInt(accepted),
  rejected: BigInt(rejected),
});

/** Returns the counts of a message. */
export const countsOf = ({ level, computed, accepted, rejected }: LevelCountsMessage): LevelCounts => ({
  level,
  computed: Number(computed),
  accepted: Number(accepted),
  rejected: Number(rejected),
});
