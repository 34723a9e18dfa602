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

/** A tile's decisions on their way to the next level. */
export interface TileSoFar extends TileDecisions {
  /** Seconds spent in networks for them: with the decisions, so that whoever goes on from these counts them, once. */
  readonly seconds: number;
}

/**
 * Returns the bytes to store: the header's length (uint32, little endian), the header (`TileState`), P2 of each level and the decisions of
 * each level, a byte a pixel each. A message would copy them three times.
 */
export function encodeTileState({ tile, image, reductions, levels }: TileDecisions, seconds = 0): Uint8Array {
  const header = encode(TileState, {
    ...tile,
    imageWidth: image.width,
    imageHeight: image.height,
    reductions: [...reductions],
    counts: levels.map(({ counts }) => countsMessage(counts)),
    seconds,
  });
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32LE(header.length);
  return Buffer.concat([prefix, header, ...levels.map(({ p2 }) => p2), ...levels.map(({ decisions }) => decisions)]);
}

/** Returns what `encodeTileState` stored; it shares memory with `stored`. */
export function decodeTileState(stored: Uint8Array): TileSoFar {
  const headerLength = new DataView(stored.buffer, stored.byteOffset).getUint32(0, true);
  const header = TileState.decode(stored.subarray(PREFIX_BYTES, PREFIX_BYTES + headerLength));
  const { x, y, width, height, imageWidth, imageHeight, reductions, seconds } = header;
  const counts = header.counts.map(countsOf);
  let p2At = PREFIX_BYTES + headerLength;
  let decisionsAt = p2At + counts.reduce((sum, { computed }) => sum + computed, 0);
  const levels = counts.map((own) => {
    const p2 = stored.subarray(p2At, p2At + own.computed);
    const decisions = stored.subarray(decisionsAt, decisionsAt + own.computed);
    p2At += own.computed;
    decisionsAt += own.computed;
    return { counts: own, decisions, p2 };
  });
  const image = { width: imageWidth, height: imageHeight };
  return { tile: { x, y, width, height }, image, reductions, levels, seconds };
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
