/** @file Joins the tiles of an image to planes over its own pixels. */
import { rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import type { LevelCounts } from "../lib/method/cascade.ts";
import { decidedPixels } from "../lib/method/decisions.ts";
import { levelSize } from "../lib/method/levels.ts";
import { expandPlane } from "../lib/method/parents.ts";
import { levelOnePx, resultTable } from "../lib/method/resolution.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { TileRecord } from "../lib/proto/radhical/v1/work.ts";
import type { CascadePlan } from "../lib/service/cascade-plan.ts";
import { readRecord } from "../lib/service/documents.ts";
import { countsOf, decodeTileState } from "../lib/service/tile-state.ts";

/** What became of a pixel as one number: bits 0 to 7 P2 and 8 to 15 1 - P2, of 255; 16 nucleus; 17 and up the level that decided it. */
const describe = (level: number, isAccepted: boolean, p2: number): number =>
  Math.round(255 * p2) | (Math.round(255 * (1 - p2)) << 8) | (isAccepted ? 1 << 16 : 0) | (level << 17);

export interface JoinedTiles {
  readonly width: number;
  readonly height: number;
  /** For each pixel of the image the number that `pixelLook` reads. */
  readonly plane: Uint32Array;
  readonly levels: LevelCounts[];
  /** Pixels of the level the cascade ended at. */
  readonly finestPixels: number;
  readonly seconds: number;
}

/** Planes of an image's results. */
export interface ResultPlanes {
  /** Interleaved RGB: 1 - P2, P2, 0; 0..255 stands for 0..1 in every file. */
  readonly probability: Uint8Array;
  /** 1 where nucleus. */
  readonly positive: Uint8Array;
  /** The level that decided each pixel. */
  readonly level: Uint8Array;
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
  const [wholeWidth, wholeHeight] = [levelSize(width, reduction), levelSize(height, reduction)];
  const whole = new Uint32Array(wholeWidth * wholeHeight);
  const byLevel = new Map(plan.levels.map(({ level }) => [level, { level, computed: 0, accepted: 0, rejected: 0 }]));
  let seconds = 0;
  for (const [n, tile] of tileGrid(width, height, plan.tile).entries()) {
    const record = await readRecord(objects, TileRecord, objectKey(prefix, "tiles", String(n)));
    const { x, y } = rectAtLevel(tile, reduction);
    const decided = decidedPixels(decodeTileState(await objects.get(record.resultKey)), describe);
    for (let row = 0; row < decided.height; row++) {
      const line = decided.plane.subarray(row * decided.width, (row + 1) * decided.width);
      whole.set(line, (y + row) * wholeWidth + x);
    }
    for (const counts of record.levels) addCounts(byLevel, countsOf(counts));
    seconds += record.seconds;
    await progress();
  }
  const isImageItself = plan.scale === 1 && plan.endsAt === 1;
  const columns = resultTable(image.width, plan.scale, reductions);
  const rows = resultTable(image.height, plan.scale, reductions);
  return {
    width: image.width,
    height: image.height,
    plane: isImageItself ? whole : expandPlane(whole, wholeWidth, { columns, rows }),
    levels: [...byLevel.values()].sort((a, b) => a.level - b.level),
    finestPixels: wholeWidth * wholeHeight,
    seconds,
  };
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

/** Returns the planes of joined tiles. */
export function resultPlanes({ plane }: JoinedTiles): ResultPlanes {
  const probability = new Uint8Array(3 * plane.length);
  const positive = new Uint8Array(plane.length);
  const level = new Uint8Array(plane.length);
  for (let i = 0; i < plane.length; i++) {
    const pixel = plane[i]!;
    probability[3 * i] = pixel >>> 8;
    probability[3 * i + 1] = pixel;
    positive[i] = (pixel >>> 16) & 1;
    level[i] = pixel >>> 17;
  }
  return { probability, positive, level };
}
