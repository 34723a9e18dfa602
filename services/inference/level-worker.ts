/** @file The worker of one level: tiles to compute in full, and tiles on their way down the cascade. */

import { DomainError } from "../lib/errors.ts";
import { blockSide, rectAtLevel } from "../lib/method/blocks.ts";
import { createDecider, openPixels } from "../lib/method/decisions.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Cascade } from "../lib/proto/radhical/v1/segmentation.ts";
import { type CascadeTask, type EvaluateTask, LevelTask, TileRecord } from "../lib/proto/radhical/v1/work.ts";
import type { Queue } from "../lib/queue/queue.ts";
import { type CascadePlan, planCascade } from "../lib/service/cascade-plan.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitContext, UnitHandler } from "../lib/service/jobs/worker.ts";
import {
  countsMessage,
  decodeTileState,
  encodeTileState,
  statesFolder,
  type TileSoFar,
} from "../lib/service/tile-state.ts";
import { levelTopic } from "../lib/service/topics.ts";
import { levelled } from "./evaluate-region.ts";
import { countPixels } from "./events.ts";
import type { Networks } from "./networks.ts";
import { computeTile, computeTileMaps } from "./tile-maps.ts";
import type { TilePixels } from "./tile-pixels.ts";

export interface LevelWorkerContext {
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly pixels: TilePixels;
  readonly workers: number;
}

/** Returns the worker of a level's topic. */
export const levelWorker = (ctx: LevelWorkerContext, level: number): UnitHandler<LevelTask> => ({
  topics: [levelTopic(level)],
  members: ctx.workers,
  codec: LevelTask,
  place: () => ({ level }),
  handle: async ({ work }, unit) => {
    if (work?.$case === "evaluate") return evaluateTile(ctx, work.value, unit);
    if (work?.$case === "cascade") return cascadeTile(ctx, work.value, unit);
    throw new DomainError("invalidArgument", "TASK_UNREADABLE", "Cannot compute a level task of an unknown kind");
  },
});

async function evaluateTile(ctx: LevelWorkerContext, task: EvaluateTask, unit: UnitContext): Promise<Uint8Array> {
  const { imageId, level, reductions, x, y, width, height } = task;
  const tile = { x, y, width, height };
  const reduction = level?.reduction ?? 1;
  const image = levelled(await ctx.images.open(imageId), 1);
  const work = {
    read: await ctx.pixels.level({ imageId, image, tile, reductions }, reduction),
    reduction,
    tile,
    blockSide: blockSide(reductions),
    open: undefined,
    isNaive: false,
    signal: unit.signal,
    progress: unit.progress,
  };
  const { maps } = await ctx.networks.use(level?.modelId ?? "", (network) => computeTileMaps({ ...work, network }));
  countPixels({ level: level?.level ?? 0, computed: maps.length / 3 });
  return new Uint8Array(maps.buffer);
}

const stateKey = ({ prefix, tile }: CascadeTask, level: number): string =>
  objectKey(statesFolder(prefix), `${tile}-${level}`);

/** One level of one tile. Returns the tile's record if nothing is left to compute, else passes the tile on to the next level. */
async function cascadeTile(
  ctx: LevelWorkerContext,
  task: CascadeTask,
  unit: UnitContext,
): Promise<Uint8Array | undefined> {
  const plan = planCascade(task.cascade ?? Cascade.create());
  const place = plan.levels.findIndex(({ level }) => level === task.level);
  const current = plan.levels[place];
  if (!current)
    throw new DomainError(
      "invalidArgument",
      "TASK_UNREADABLE",
      `Cannot compute level ${task.level}: the cascade has no such level`,
    );
  const decided = await computeLevel(ctx, task, plan, place, unit);
  const next = plan.levels[place + 1];
  const { computed, accepted, rejected } = decided.levels.at(-1)!.counts;
  if (next && computed > accepted + rejected) {
    const key = stateKey(task, task.level);
    await ctx.objects.put(key, encodeTileState(decided, decided.seconds), { ifAbsent: true });
    // Another has finished the tile while this worker stood still: the job may have removed its states already, and nobody asks again.
    if (await ctx.objects.head(unit.outputKey)) {
      await ctx.objects.delete(key);
      return undefined;
    }
    const value = encode(LevelTask, {
      work: { $case: "cascade", value: { ...task, level: next.level } },
    });
    await ctx.queue.publish(levelTopic(next.level), [
      { key: `${task.prefix}/${task.tile}`, value, headers: unit.headers },
    ]);
    return undefined;
  }
  const resultKey = objectKey(task.prefix, "results", String(task.tile));
  await ctx.objects.put(resultKey, encodeTileState(decided), { ifAbsent: true });
  const levels = decided.levels.map(({ counts }) => countsMessage(counts));
  return encode(TileRecord, { levels, seconds: decided.seconds, resultKey });
}

async function computeLevel(
  ctx: LevelWorkerContext,
  task: CascadeTask,
  plan: CascadePlan,
  place: number,
  unit: UnitContext,
): Promise<TileSoFar> {
  const { level, reduction, modelId } = plan.levels[place]!;
  const done = await ctx.objects.find(stateKey(task, level));
  if (done) return decodeTileState(done.bytes);
  const { imageId, x, y, width, height } = task;
  const tile = { x, y, width, height };
  const image = levelled(await ctx.images.open(imageId), plan.scale);
  const coarser = plan.levels[place - 1];
  const before: TileSoFar = coarser
    ? decodeTileState(await ctx.objects.get(stateKey(task, coarser.level)))
    : {
        tile,
        image: { width: image.width, height: image.height },
        reductions: plan.levels.map((own) => own.reduction),
        levels: [],
        seconds: 0,
      };
  const open = openPixels(before);
  const rule = { level, endsAt: plan.endsAt, thresholds: plan.thresholds[level - 1] ?? {} };
  const decider = createDecider(open, rectAtLevel(tile, reduction).width, rule);
  const work = {
    read: await ctx.pixels.level({ imageId, image, tile, reductions: plan.reductions }, reduction),
    reduction,
    tile,
    blockSide: plan.blockSide,
    // Before the first level nothing is decided.
    open: coarser && open,
    isNaive: plan.isNaive,
    signal: unit.signal,
    progress: unit.progress,
  };
  const seconds = await ctx.networks.use(modelId, (network) => computeTile({ ...work, network }, decider.take));
  const decided = decider.finish();
  countPixels(decided.counts);
  return { ...before, levels: [...before.levels, decided], seconds: before.seconds + seconds };
}
