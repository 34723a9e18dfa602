/** @file Probability maps of a tile at one level, block by block on the image's fixed grid. */
import { blockGrid, rectAtLevel } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { evaluateDense, evaluatePatches, type LevelledImage, readSurrounded } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./networks.ts";

export interface TileWork {
  readonly image: LevelledImage;
  readonly network: LoadedNetwork;
  readonly reduction: number;
  /** Level-1 pixels, on the block grid. */
  readonly tile: Rect;
  /** Level-1 pixels. */
  readonly blockSide: number;
  /** 1 where a pixel (level pixels of the tile) is wanted; undefined: everywhere. A block without one is not computed. */
  readonly open: Uint8Array | undefined;
  readonly isNaive: boolean;
  readonly signal: AbortSignal;
  /** Called after every block. */
  readonly progress: () => Promise<void>;
}

export interface TileMaps {
  /** float32 [3, h, w] over the tile's level pixels; 0 in blocks that were not computed. */
  readonly maps: Float32Array;
  readonly seconds: number;
}

/** Returns the maps. What is computed how depends on the image, the grid and `open` alone, never on the tile. */
export async function computeTileMaps(work: TileWork): Promise<TileMaps> {
  const { image, network, reduction, tile, open } = work;
  const area = rectAtLevel(tile, reduction);
  const maps = new Float32Array(3 * area.width * area.height);
  let seconds = 0;
  for (const block of blockGrid(tile, work.blockSide)) {
    work.signal.throwIfAborted();
    const rect = rectAtLevel(block, reduction);
    const within = { ...rect, x: rect.x - area.x, y: rect.y - area.y };
    if (open && !hasOpen(open, area.width, within)) continue;
    const surrounded = await readSurrounded(image, reduction, rect);
    const evaluate = work.isNaive ? evaluatePatches : evaluateDense;
    const region = await evaluate(network, surrounded, rect);
    seconds += region.seconds;
    paste(maps, area, region.probabilities, within);
    await work.progress();
  }
  return { maps, seconds };
}

function hasOpen(open: Uint8Array, stride: number, { x, y, width, height }: Rect): boolean {
  for (let row = y; row < y + height; row++) {
    if (open.subarray(row * stride + x, row * stride + x + width).includes(1)) return true;
  }
  return false;
}

function paste(maps: Float32Array, area: Rect, block: Float32Array, { x, y, width, height }: Rect): void {
  for (let c = 0; c < 3; c++) {
    for (let row = 0; row < height; row++) {
      const from = (c * height + row) * width;
      maps.set(block.subarray(from, from + width), (c * area.height + y + row) * area.width + x);
    }
  }
}
