/** @file The pixels of a tile and around it at every level: read once, and reduced once for all that is evaluated there. */
import { LRUCache } from "lru-cache";
import { lcm } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { createLevels } from "../lib/method/levels.ts";
import { mirroredPart } from "../lib/method/mirror.ts";
import { CLASSIFIED_PX, PATCH_SIZE_PX } from "../lib/method/patches.ts";
import { type LevelledImage, readSurrounded } from "./evaluate-region.ts";
import type { Scratch } from "./scratch.ts";

const SURROUNDING_PX = PATCH_SIZE_PX - 1;
/** Of pixels of tiles, each of which its levels' workers come back to. */
const CACHE_BYTES = 128 * 2 ** 20;
/** The pixel itself, and what is kept of it at coarser levels. */
const BYTES_PER_PIXEL = 6;

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

/** Pixels of tiles; those used last stay in memory. */
export interface TilePixels {
  /** Returns what reads a level's pixels of a tile. */
  level(place: TilePlace, reduction: number): Promise<ReadLevel>;
}

/** Returns tiles' pixels of images. */
export function createTilePixels(): TilePixels {
  const held = new LRUCache<string, Promise<(reduction: number) => ReadLevel>>({ maxSize: CACHE_BYTES });
  return {
    level: async (place, reduction) => {
      const { imageId, image, tile, reductions } = place;
      // Reduced by a factor that is no whole number: there is nothing that levels could share.
      if (image.scale !== 1) return (rect) => readSurrounded(image, reduction, rect);
      const area = areaAround(place);
      const key = [imageId, tile.x, tile.y, tile.width, tile.height, ...reductions].join();
      const known = held.get(key);
      if (known) return (await known)(reduction);
      const opened = openArea(place, area);
      held.set(key, opened, { size: Math.min(CACHE_BYTES, BYTES_PER_PIXEL * area.width * area.height) });
      opened.catch(() => held.delete(key));
      return (await opened)(reduction);
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

async function openArea({ image, reductions }: TilePlace, area: Rect): Promise<(reduction: number) => ReadLevel> {
  const levels = createLevels(await image.source.readRegion(area), reductions);
  return (reduction) => async (rect, scratch) => {
    const region = {
      x: rect.x - CLASSIFIED_PX,
      y: rect.y - CLASSIFIED_PX,
      width: rect.width + SURROUNDING_PX,
      height: rect.height + SURROUNDING_PX,
    };
    const { width, height } = image;
    const bytes = 3 * region.width * region.height;
    const planar = new Uint8Array(scratch.take(bytes), 0, bytes);
    return mirroredPart(levels(reduction), area, { region, reduction, width, height }, planar);
  };
}
