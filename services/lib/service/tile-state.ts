/** @file A tile's decisions as the store holds them between levels and at the end. */
import type { LevelCounts } from "../method/cascade.ts";
import type { TileDecisions } from "../method/decisions.ts";
import { objectKey } from "../objects/object-key.ts";
import type { LevelCounts as LevelCountsMessage } from "../proto/radhical/v1/segmentation.ts";
import { TileState } from "../proto/radhical/v1/work.ts";
import { encode } from "./documents.ts";

/** Returns the folder of an image's states between levels. */
export const statesFolder = (prefix: string): string => objectKey(prefix, "states");

/** Returns the bytes to store. */
export const encodeTileState = ({ tile, image, reductions, levels }: TileDecisions): Uint8Array =>
  encode(TileState, {
    ...tile,
    imageWidth: image.width,
    imageHeight: image.height,
    reductions: [...reductions],
    levels: levels.map(({ counts, decisions, p2 }) => ({
      counts: countsMessage(counts),
      decisions: Buffer.from(decisions.buffer, decisions.byteOffset, decisions.byteLength),
      p2: Buffer.from(p2.buffer, p2.byteOffset, p2.byteLength),
    })),
  });

/** Returns what `encodeTileState` stored. */
export function decodeTileState(bytes: Uint8Array): TileDecisions {
  const { x, y, width, height, imageWidth, imageHeight, reductions, levels } = TileState.decode(bytes);
  return {
    tile: { x, y, width, height },
    image: { width: imageWidth, height: imageHeight },
    reductions,
    levels: levels.map(({ counts, decisions, p2 }) => ({
      counts: countsOf(counts),
      decisions,
      // A copy of its own: the floats need not be aligned within the message.
      p2: new Float32Array(new Uint8Array(p2).buffer),
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

/** Returns the counts of a message; of none, zeros. */
export const countsOf = (message: LevelCountsMessage | undefined): LevelCounts => ({
  level: message?.level ?? 0,
  computed: Number(message?.computed ?? 0n),
  accepted: Number(message?.accepted ?? 0n),
  rejected: Number(message?.rejected ?? 0n),
});
