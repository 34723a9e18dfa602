/** @file A tile at one level, block by block: its open pixels, or all of them as maps. */
import { blockGrid, evenGrid, rectAtLevel } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { evaluateOpen, type ReadPixels, scatter, type TakePixels } from "./evaluate-block.ts";
import type { LoadedNetwork } from "./loaded-network.ts";
import type { ReadLevel } from "./tile-pixels.ts";

/** Side of what is evaluated together where that may follow the tile and all of it is wanted; a network holds 600 bytes a pixel, for the default one. */
const MAX_BLOCK_PX = 512;
/** The same where only open pixels are: what networks hold at once they keep, for every level and thread. */
const MAX_OPEN_BLOCK_PX = 256;

export interface TileWork {
  readonly read: ReadLevel;
  readonly network: LoadedNetwork;
  readonly reduction: number;
  /** Level-1 pixels, on the block grid. */
  readonly tile: Rect;
  /** Level-1 pixels. */
  readonly blockSide: number;
  /** 1 where a pixel (level pixels of the tile) is wanted; undefined: everywhere. Only blocks with one are looked at. */
  readonly open: Uint8Array | undefined;
  readonly isNaive: boolean;
  readonly signal: AbortSignal;
  /** Called after every block, and on the way through one that takes long. */
  readonly progress: () => Promise<void>;
}

export interface TileMaps {
  /** float32 [3, h, w] over the tile's level pixels. */
  readonly maps: Float32Array;
  readonly seconds: number;
}

/** Returns the maps of a tile. */
export async function computeTileMaps(work: TileWork): Promise<TileMaps> {
  const area = rectAtLevel(work.tile, work.reduction);
  const maps = new Float32Array(3 * area.width * area.height);
  const seconds = await computeTile(work, (rect, pixels, probabilities) =>
    scatter(probabilities, pixels, rect, maps, area),
  );
  return { maps, seconds };
}

/**
 * Evaluates a tile's open pixels, handing them to `take` (whose rectangle is in pixels of the tile); returns the seconds in networks. What
 * pixels get depends on the image, the grid and `open` alone, never on the tile: either all ways of evaluating give the same bits, or
 * blocks are those of the image's fixed grid.
 */
export async function computeTile(work: TileWork, take: TakePixels): Promise<number> {
  const { network, reduction, tile, open, isNaive, progress } = work;
  const area = rectAtLevel(tile, reduction);
  const blocks = network.isSparseExact
    ? evenGrid(area, open ? MAX_OPEN_BLOCK_PX : MAX_BLOCK_PX)
    : blockGrid(tile, work.blockSide).map((block) => rectAtLevel(block, reduction));
  const fullSide = work.blockSide / reduction;
  const common = { open, isNaive, width: area.width, fullSize: { width: fullSide, height: fullSide }, progress };
  let seconds = 0;
  const read: ReadPixels = (rect) => work.read({ ...rect, x: rect.x + area.x, y: rect.y + area.y }, network.scratch);
  for (const { x, y, width, height } of blocks) {
    work.signal.throwIfAborted();
    const within = { x: x - area.x, y: y - area.y, width, height };
    seconds += await evaluateOpen(network, read, within, common, take);
    await progress();
  }
  return seconds;
}
