/** @file Joins the tiles of an image to planes over its own pixels. */
import { rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import type { LevelCounts } from "../lib/method/cascade.ts";
import { type DecidedRows, decidedPixels } from "../lib/method/decisions.ts";
import { levelSize } from "../lib/method/levels.ts";
import { lowerBound, type ParentTables } from "../lib/method/parents.ts";
import { levelOnePx, resultTable } from "../lib/method/resolution.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { TileRecord } from "../lib/proto/radhical/v1/work.ts";
import type { CascadePlan } from "../lib/service/cascade-plan.ts";
import { readRecord } from "../lib/service/documents.ts";
import { countsOf, decodeTileState } from "../lib/service/tile-state.ts";

/** What became of a pixel as one number: bits 0 to 7 P2 and 8 to 15 1 - P2, of 255; 16 nucleus; 17 and up the level that decided it. */
const describe = (level: number, isAccepted: boolean, p2: number): number =>
  p2 | ((255 - p2) << 8) | (isAccepted ? 1 << 16 : 0) | (level << 17);

/** Planes over an image's own pixels that are to be written. */
export type ResultPlanes =
  /** Interleaved RGB: 1 - P2, P2, 0; 0..255 stands for 0..1 in every file. */
  | { readonly probability: Uint8Array }
  /** 1 where nucleus; the level that decided each pixel. */
  | { readonly positive: Uint8Array; readonly level: Uint8Array };

export interface JoinedTiles {
  readonly levels: LevelCounts[];
  /** Pixels of the level the cascade ended at. */
  readonly finestPixels: number;
  readonly seconds: number;
}

/** Writes an image's tiles into planes, and returns what they came to. `image` is its size in pixels of its own. */
export async function joinTiles(
  objects: ObjectStore,
  prefix: string,
  plan: CascadePlan,
  image: { readonly width: number; readonly height: number },
  progress: () => Promise<void>,
  planes: ResultPlanes,
): Promise<JoinedTiles> {
  const width = levelOnePx(image.width, plan.scale);
  const height = levelOnePx(image.height, plan.scale);
  const reductions = plan.reductions.slice(0, plan.endsAt);
  const reduction = reductions.at(-1) ?? 1;
  // Where an image's pixels take their results from: themselves, unless it has another resolution or ends at a coarser level.
  const sources = {
    columns: resultTable(image.width, plan.scale, reductions),
    rows: resultTable(image.height, plan.scale, reductions),
  };
  const byLevel = new Map(plan.levels.map(({ level }) => [level, { level, computed: 0, accepted: 0, rejected: 0 }]));
  let seconds = 0;
  for (const [n, tile] of tileGrid(width, height, plan.tile).entries()) {
    const record = await readRecord(objects, TileRecord, objectKey(prefix, "tiles", String(n)));
    const { x, y } = rectAtLevel(tile, reduction);
    decidedPixels(decodeTileState(await objects.get(record.resultKey)), describe, (rows) =>
      write(planes, rows, { x, y: y + rows.y }, sources),
    );
    for (const counts of record.levels) addCounts(byLevel, countsOf(counts));
    seconds += record.seconds;
    await progress();
  }
  return {
    levels: [...byLevel.values()].sort((a, b) => a.level - b.level),
    finestPixels: levelSize(width, reduction) * levelSize(height, reduction),
    seconds,
  };
}

/** Writes all pixels of the image that take their results from `rows`, whose upper left pixel is `origin`. */
function write(
  planes: ResultPlanes,
  { plane, width, height }: DecidedRows,
  origin: { readonly x: number; readonly y: number },
  { columns, rows }: ParentTables,
): void {
  const left = lowerBound(columns, origin.x);
  const right = lowerBound(columns, origin.x + width);
  const bottom = lowerBound(rows, origin.y + height);
  for (let row = lowerBound(rows, origin.y); row < bottom; row++) {
    const line = (rows[row]! - origin.y) * width - origin.x;
    const from = columns.subarray(left, right);
    const to = row * columns.length + left;
    if ("probability" in planes) writeProbability(planes.probability, plane, line, from, to);
    else writeDecisions(planes, plane, line, from, to);
  }
}

function writeProbability(probability: Uint8Array, plane: Uint32Array, line: number, columns: Int32Array, at: number) {
  for (let i = 0, to = 3 * at; i < columns.length; i++, to += 3) {
    const pixel = plane[line + columns[i]!]!;
    probability[to] = pixel >>> 8;
    probability[to + 1] = pixel;
  }
}

function writeDecisions(
  { positive, level }: { readonly positive: Uint8Array; readonly level: Uint8Array },
  plane: Uint32Array,
  line: number,
  columns: Int32Array,
  at: number,
) {
  for (let i = 0, to = at; i < columns.length; i++, to++) {
    const pixel = plane[line + columns[i]!]!;
    positive[to] = (pixel >>> 16) & 1;
    level[to] = pixel >>> 17;
  }
}

function addCounts(byLevel: Map<number, LevelCounts>, { level, computed, accepted, rejected }: LevelCounts): void {
  const sum = byLevel.get(level);
  if (!sum) return;
  byLevel.set(level, {
    level,
    computed: sum.computed + computed,
    accepted: sum.accepted + accepted,
    rejected: sum.rejected + rejected,
  });
}
