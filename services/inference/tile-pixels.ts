/** @file The pixels of a tile and around it at every level: read once for level 1, and once for all others. */
import { LRUCache } from "lru-cache";
import { lcm } from "../lib/method/blocks.ts";
import type { Rect, RgbImage } from "../lib/method/image.ts";
import { createLevels } from "../lib/method/levels.ts";
import { mirroredPart } from "../lib/method/mirror.ts";
import { CLASSIFIED_PX } from "../lib/method/patches.ts";
import { type LevelledImage, readSurrounded } from "./evaluate-region.ts";
import { surroundedRect } from "./planes.ts";
import type { Scratch } from "./scratch.ts";

/** Of coarser levels of tiles. Coarse levels run ahead of fine ones, so many tiles are on their way at a time; level 1, by far the largest, is read anew. */
const CACHE_BYTES = 128 * 2 ** 20;

/** Returns planar RGB [3, h + 31, w + 31] of a rectangle of a level, in pixels of the image's level; its memory is the caller's, out of `scratch`. */
export type ReadLevel = (rect: Rect, scratch: Scratch) => Promise<Uint8Array<ArrayBuffer>>;

/** A tile, and the levels it is computed at. */
export interface TilePlace {
  readonly imageId: string;
  readonly image: LevelledImage;
  /** In level-1 pixels, on the block grid. */
  readonly tile: Rect;
  /** Of all levels, finest first. */
  readonly reductions: readonly number[];
}

/** Pixels of tiles; coarser levels of those used last stay in memory. */
export interface TilePixels {
  /** Returns what reads a level's pixels of a tile. */
  level(place: TilePlace, reduction: number): Promise<ReadLevel>;
}

/** Returns tiles' pixels of images. */
export function createTilePixels(): TilePixels {
  const held = new LRUCache<string, Promise<ReadonlyMap<number, RgbImage>>>({ maxSize: CACHE_BYTES });
  return {
    level: async (place, reduction) => {
      const { imageId, image, tile, reductions } = place;
      // Reduced by a factor that is no whole number: there is nothing that levels could share.
      if (image.scale !== 1) return (rect) => readSurrounded(image, reduction, rect);
      const area = areaAround(place);
      if (reduction === 1) return readerOf(place, area, 1, await image.source.readRegion(area));
      const key = [imageId, tile.x, tile.y, tile.width, tile.height, ...reductions].join();
      const known = held.get(key);
      if (known) return readerOf(place, area, reduction, (await known).get(reduction)!);
      const coarse = readCoarse(place, area);
      const size = reductions.reduce((sum, n) => (n === 1 ? sum : sum + (3 * area.width * area.height) / n ** 2), 1);
      held.set(key, coarse, { size: Math.ceil(Math.min(CACHE_BYTES, size)) });
      coarse.catch(() => held.delete(key));
      return readerOf(place, area, reduction, (await coarse).get(reduction)!);
    },
  };
}

/** All that patches of a tile's pixels see at any level, on pixel edges of every level, clipped to the image. */
function areaAround({ image, tile, reductions }: TilePlace): Rect {
  const edge = lcm(reductions);
  const reach = Math.ceil((CLASSIFIED_PX * Math.max(...reductions)) / edge) * edge;
  const x = Math.max(0, tile.x - reach);
  const y = Math.max(0, tile.y - reach);
  const right = Math.min(image.width, Math.ceil((tile.x + tile.width) / edge) * edge + reach);
  const bottom = Math.min(image.height, Math.ceil((tile.y + tile.height) / edge) * edge + reach);
  return { x, y, width: right - x, height: bottom - y };
}

/** Returns the images of all levels but level 1. */
async function readCoarse({ image, reductions }: TilePlace, area: Rect): Promise<ReadonlyMap<number, RgbImage>> {
  const levels = createLevels(await image.source.readRegion(area), reductions);
  return new Map(reductions.filter((n) => n > 1).map((n) => [n, levels(n)]));
}

/** Returns what reads a level of which `level` is the part in `area`, in level-1 pixels. */
const readerOf =
  ({ image: { width, height } }: TilePlace, area: Rect, reduction: number, level: RgbImage): ReadLevel =>
  async (rect, scratch) => {
    const region = surroundedRect(rect);
    const bytes = 3 * region.width * region.height;
    const planar = new Uint8Array(scratch.take(bytes), 0, bytes);
    return mirroredPart(level, area, { region, reduction, width, height }, planar);
  };
