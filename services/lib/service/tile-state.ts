/** @file A tile's state as the store holds it between levels and at the end. */
import { type CascadeState, expandState } from "../method/cascade.ts";
import type { Rect } from "../method/image.ts";
import { parentTables } from "../method/parents.ts";
import { objectKey } from "../objects/object-key.ts";
import type { LevelCounts as LevelCountsMessage } from "../proto/radhical/v1/segmentation.ts";
import { TileState } from "../proto/radhical/v1/work.ts";
import { encode } from "./documents.ts";

export interface StoredState {
  readonly state: CascadeState;
  readonly counts: readonly LevelCountsMessage[];
}

const bytesOf = (data: Uint8Array | Float32Array): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Returns the folder of an image's states between levels. */
export const statesFolder = (prefix: string): string => objectKey(prefix, "states");

/** Returns the bytes to store. */
export const encodeTileState = ({ state, counts }: StoredState): Uint8Array =>
  encode(TileState, {
    width: state.width,
    height: state.height,
    level: bytesOf(state.level),
    positive: bytesOf(state.positive),
    p2: bytesOf(state.p2),
    counts: [...counts],
  });

/** Returns what `encodeTileState` stored. */
export function decodeTileState(bytes: Uint8Array): StoredState {
  const { width, height, level, positive, p2, counts } = TileState.decode(bytes);
  // A copy of its own: the floats need not be aligned within the message.
  return { state: { width, height, level, positive, p2: new Float32Array(Uint8Array.from(p2).buffer) }, counts };
}

/** Returns a tile's state taken from one reduction down a chain of finer ones, each pixel from its parent. */
export const expandThrough = (
  state: CascadeState,
  chain: readonly number[],
  tile: Rect,
  image: { readonly width: number; readonly height: number },
): CascadeState => {
  let expanded = state;
  for (let i = 1; i < chain.length; i++) {
    expanded = expandState(expanded, parentTables(tile, image.width, image.height, chain[i]!, chain[i - 1]!));
  }
  return expanded;
};
