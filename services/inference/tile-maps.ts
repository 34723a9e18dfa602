/** @file Probability maps of a tile at one level, block by block on the image's fixed grid. */
import { blockGrid, rectAtLevel } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { evaluateBlock, pastePlanes } from "./evaluate-block.ts";
import { type LevelledImage, readSurrounded } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./loaded-network.ts";

export interface TileWork {
  readonly image: LevelledImage;
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
  /** float32 [3, h, w] over the tile's level pixels; only open pixels have values to be used. */
  readonly maps: Float32Array;
  readonly seconds: number;
}

/** Returns the maps. What is computed how depends on the image, the grid and `open` alone, never on the tile. */
export async function computeTileMaps(work: TileWork): Promise<TileMaps> {
  const { image, network, reduction, tile, open, isNaive, progress } = work;
  const area = rectAtLevel(tile, reduction);
  const maps = new Float32Array(3 * area.width * area.height);
  let seconds = 0;
  for (const block of blockGrid(tile, work.blockSide)) {
    work.signal.throwIfAborted();
    const rect = rectAtLevel(block, reduction);
    const within = { ...rect, x: rect.x - area.x, y: rect.y - area.y };
    const selected = open && cutMask(open, area.width, within);
    if (selected && !selected.includes(1)) continue;
    const surrounded = await readSurrounded(image, reduction, rect);
    const region = await evaluateBlock(network, surrounded, rect, { open: selected, isNaive, progress });
    seconds += region.seconds;
    pastePlanes(maps, area, region.probabilities, within);
    await progress();
  }
  return { maps, seconds };
}

function cutMask(mask: Uint8Array, stride: number, { x, y, width, height }: Rect): Uint8Array {
  const cut = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const from = (y + row) * stride + x;
    cut.set(mask.subarray(from, from + width), row * width);
  }
  return cut;
}
