/** @file Joins the tiles of an image: probability image, mask with its holes filled, decided-by-level map (METHOD.md 5 and 7). */
import { encodePng } from "../lib/images/encode-png.ts";
import { rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import { type CascadeState, computeFraction, openState } from "../lib/method/cascade.ts";
import { fillHoles } from "../lib/method/holes.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import type { LevelCounts } from "../lib/proto/radhical/v1/segmentation.ts";
import { AssembleRecord, AssembleTask, TileRecord } from "../lib/proto/radhical/v1/work.ts";
import { type CascadePlan, planCascade } from "../lib/service/cascade-plan.ts";
import { encode, readRecord } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { decodeTileState, expandThrough } from "../lib/service/tile-state.ts";
import { ASSEMBLE_TOPIC } from "./submit.ts";

export interface AssembleContext {
  readonly objects: ObjectStore;
  readonly images: Pick<ImageStore, "describe">;
}

/** Returns the worker that joins tiles. One image at a time: an image is the largest thing in memory. */
export const assembleWorker = (ctx: AssembleContext): UnitHandler<AssembleTask> => ({
  topics: [ASSEMBLE_TOPIC],
  members: 1,
  codec: AssembleTask,
  handle: async ({ imageId, cascade, prefix }, unit) => {
    const size = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const plan = planCascade(cascade ?? { models: [], thresholds: [], mode: 0, tile: 0, maxHolePx: 0 });
    const joined = await joinTiles(ctx, prefix, plan, size, unit.progress);
    const { width, height } = joined.state;
    const mask = fillHoles(joined.state.positive, width, height, cascade?.maxHolePx ?? 0);
    const files = [
      {
        path: `${imageId}_prob.png`,
        png: encodePng({ width, height, channels: 3, data: probabilityImage(joined.state.p2) }),
      },
      {
        path: `${imageId}_mask.png`,
        png: encodePng({ width, height, channels: 1, data: mask.map((positive) => 255 * positive) }),
      },
      { path: `${imageId}_level.png`, png: encodePng({ width, height, channels: 1, data: joined.state.level }) },
    ].map(async ({ path, png }) => {
      const key = objectKey(prefix, "image", path);
      await ctx.objects.put(key, await png, { ifAbsent: true });
      return { path, key };
    });
    const finest = rectAtLevel({ x: 0, y: 0, width, height }, plan.reductions[plan.endsAt - 1] ?? 1);
    const counts = joined.levels.map(({ level, computed, accepted, rejected }) => ({
      level,
      computed: Number(computed),
      accepted: Number(accepted),
      rejected: Number(rejected),
    }));
    return encode(AssembleRecord, {
      image: {
        imageId,
        width,
        height,
        levels: joined.levels,
        computeFraction: computeFraction(counts, finest.width * finest.height),
        seconds: joined.seconds,
      },
      files: await Promise.all(files),
    });
  },
});

/** Channels 1 - P2, P2, 0; 0..255 stands for 0..1 in every file. */
function probabilityImage(p2: Float32Array): Uint8Array {
  const data = new Uint8Array(3 * p2.length);
  for (let i = 0; i < p2.length; i++) {
    data[3 * i] = Math.round(255 * (1 - p2[i]!));
    data[3 * i + 1] = Math.round(255 * p2[i]!);
  }
  return data;
}

interface JoinedTiles {
  /** Over the image's level-1 pixels. */
  readonly state: CascadeState;
  readonly levels: LevelCounts[];
  readonly seconds: number;
}

async function joinTiles(
  ctx: AssembleContext,
  prefix: string,
  plan: CascadePlan,
  { width, height }: { readonly width: number; readonly height: number },
  progress: () => Promise<void>,
): Promise<JoinedTiles> {
  const state = openState(width, height);
  const byLevel = new Map<number, LevelCounts>(
    plan.levels.map(({ level }) => [level, { level, computed: 0n, accepted: 0n, rejected: 0n }]),
  );
  let seconds = 0;
  // From the level it ended at to level 1, which masks and maps are drawn at.
  const chain = plan.reductions.slice(0, plan.endsAt).toReversed();
  for (const [n, tile] of tileGrid(width, height, plan.tile).entries()) {
    const record = await readRecord(ctx.objects, TileRecord, objectKey(prefix, "tiles", String(n)));
    const stored = decodeTileState(await ctx.objects.get(record.resultKey));
    paste(state, expandThrough(stored.state, chain, tile, { width, height }), tile.x, tile.y);
    for (const counts of record.levels) addCounts(byLevel, counts);
    seconds += record.seconds;
    await progress();
  }
  return { state, levels: [...byLevel.values()].sort((a, b) => a.level - b.level), seconds };
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
