/** @file A tile's decisions as the store holds them between levels and at the end. */
import type { LevelCounts } from "../method/cascade.ts";
import type { TileDecisions } from "../method/decisions.ts";
import { objectKey } from "../objects/object-key.ts";
import type { LevelCounts as LevelCountsMessage } from "../proto/radhical/v1/segmentation.ts";
import { TileState } from "../proto/radhical/v1/work.ts";
import { encode } from "./documents.ts";

/** Returns the folder of an image's states between levels. */
export const statesFolder = (prefix: string): string => objectKey(prefix, "states");

const bytesOf = (data: Uint8Array | Float32Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Returns the bytes to store. */
export const encodeTileState = ({ tile, image, reductions, levels }: TileDecisions): Uint8Array =>
  encode(TileState, {
    ...tile,
    imageWidth: image.width,
    imageHeight: image.height,
    reductions: [...reductions],
    counts: levels.map(({ counts }) => countsMessage(counts)),
    decisions: levels.map(({ decisions }) => bytesOf(decisions)),
    p2: levels.map(({ p2 }) => bytesOf(p2)),
  });

/** Returns what `encodeTileState` stored. */
export function decodeTileState(bytes: Uint8Array): TileDecisions {
  const { x, y, width, height, imageWidth, imageHeight, reductions, counts, decisions, p2 } = TileState.decode(bytes);
  return {
    tile: { x, y, width, height },
    image: { width: imageWidth, height: imageHeight },
    reductions,
    levels: counts.map((message, i) => ({
      counts: countsOf(message),
      decisions: decisions[i] ?? new Uint8Array(),
      // A copy of its own: the floats need not be aligned within the message.
      p2: new Float32Array(new Uint8Array(p2[i] ?? []).buffer),
    })),
  };
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
