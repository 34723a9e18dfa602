/** @file Joins the tiles of an image to one state over its own pixels. */
import { rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import { type CascadeState, expandState, openState } from "../lib/method/cascade.ts";
import { levelSize } from "../lib/method/levels.ts";
import { levelOnePx, resultTable } from "../lib/method/resolution.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { LevelCounts } from "../lib/proto/radhical/v1/segmentation.ts";
import { TileRecord } from "../lib/proto/radhical/v1/work.ts";
import type { CascadePlan } from "../lib/service/cascade-plan.ts";
import { readRecord } from "../lib/service/documents.ts";
import { decodeTileState } from "../lib/service/tile-state.ts";

export interface JoinedTiles {
  /** Over the image's pixels. */
  readonly state: CascadeState;
  readonly levels: LevelCounts[];
  /** Pixels of the level the cascade ended at. */
  readonly finestPixels: number;
  readonly seconds: number;
}

/** Returns an image's tiles as one. `image` is its size in pixels of its own. */
export async function joinTiles(
  objects: ObjectStore,
  prefix: string,
  plan: CascadePlan,
  image: { readonly width: number; readonly height: number },
  progress: () => Promise<void>,
): Promise<JoinedTiles> {
  const width = levelOnePx(image.width, plan.scale);
  const height = levelOnePx(image.height, plan.scale);
  const reductions = plan.reductions.slice(0, plan.endsAt);
  const reduction = reductions.at(-1) ?? 1;
  const whole = openState(levelSize(width, reduction), levelSize(height, reduction));
  const byLevel = new Map(plan.levels.map(({ level }) => [level, { level, computed: 0n, accepted: 0n, rejected: 0n }]));
  let seconds = 0;
  for (const [n, tile] of tileGrid(width, height, plan.tile).entries()) {
    const record = await readRecord(objects, TileRecord, objectKey(prefix, "tiles", String(n)));
    const { x, y } = rectAtLevel(tile, reduction);
    paste(whole, decodeTileState(await objects.get(record.resultKey)).state, x, y);
    for (const counts of record.levels) addCounts(byLevel, counts);
    seconds += record.seconds;
    await progress();
  }
  const isImageItself = plan.scale === 1 && plan.endsAt === 1;
  const columns = resultTable(image.width, plan.scale, reductions);
  const rows = resultTable(image.height, plan.scale, reductions);
  return {
    state: isImageItself ? whole : expandState(whole, { columns, rows }),
    levels: [...byLevel.values()].sort((a, b) => a.level - b.level),
    finestPixels: whole.width * whole.height,
    seconds,
  };
}

function addCounts(byLevel: Map<number, LevelCounts>, { level, computed, accepted, rejected }: LevelCounts): void {
  const sum = byLevel.get(level);
  if (!sum) return;
  sum.computed += computed;
  sum.accepted += accepted;
  sum.rejected += rejected;
}

function paste(whole: CascadeState, tile: CascadeState, x: number, y: number): void {
  for (let row = 0; row < tile.height; row++) {
    const to = (y + row) * whole.width + x;
    const from = row * tile.width;
    whole.level.set(tile.level.subarray(from, from + tile.width), to);
    whole.p2.set(tile.p2.subarray(from, from + tile.width), to);
    whole.positive.set(tile.positive.subarray(from, from + tile.width), to);
  }
}
