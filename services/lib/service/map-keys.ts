/** @file Where full probability maps lie, and how they are read back whole. */
import { rectAtLevel, tileGrid } from "../method/blocks.ts";
import { levelSize } from "../method/levels.ts";
import { objectKey } from "../objects/object-key.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { LevelModel } from "../proto/radhical/v1/inference.ts";
import { contentId } from "./content-id.ts";
import { floatsOf } from "./number-bytes.ts";

/** What a map is a function of. */
export interface MapIdentity {
  readonly imageId: string;
  readonly level: LevelModel;
  /** They fix the block grid. */
  readonly reductions: readonly number[];
  /** Level-1 pixels. */
  readonly tile: number;
}

/** Returns the key of tile `n` of a map: float32 [3, h, w] over the tile's level pixels. */
export const mapKey = ({ imageId, level, reductions, tile }: MapIdentity, n: number): string =>
  objectKey("maps", contentId("map", imageId, level.modelId, level.reduction, reductions.join(), tile), String(n));

/** Returns a whole map, float32 [3, h, w] over the level of an image of width x height level-1 pixels. */
export async function readMap(
  objects: ObjectStore,
  identity: MapIdentity,
  width: number,
  height: number,
): Promise<Float32Array> {
  const { reduction } = identity.level;
  const mapWidth = levelSize(width, reduction);
  const mapHeight = levelSize(height, reduction);
  const map = new Float32Array(3 * mapWidth * mapHeight);
  for (const [n, tile] of tileGrid(width, height, identity.tile).entries()) {
    const part = floatsOf(await objects.get(mapKey(identity, n)));
    const rect = rectAtLevel(tile, reduction);
    for (let c = 0; c < 3; c++) {
      for (let row = 0; row < rect.height; row++) {
        const from = (c * rect.height + row) * rect.width;
        map.set(part.subarray(from, from + rect.width), (c * mapHeight + rect.y + row) * mapWidth + rect.x);
      }
    }
  }
  return map;
}
