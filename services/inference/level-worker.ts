/** @file The worker of one level: tiles to compute in full, and tiles on their way down the cascade. */

import { DomainError } from "../lib/errors.ts";
import { blockSide, rectAtLevel } from "../lib/method/blocks.ts";
import { countOpen, decideLevel, openPixels, openState } from "../lib/method/cascade.ts";
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
  decodeTileState,
  encodeTileState,
  expandThrough,
  type StoredState,
  statesFolder,
} from "../lib/service/tile-state.ts";
import { levelTopic } from "../lib/service/topics.ts";
import { levelled } from "./evaluate-region.ts";
import type { Networks } from "./networks.ts";
import { computeTileMaps } from "./tile-maps.ts";

export interface LevelWorkerContext {
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly images: ImageStore;
  readonly networks: Networks;
  readonly workers: number;
}

/** Returns the worker of a level's topic. */
export const levelWorker = (ctx: LevelWorkerContext, level: number): UnitHandler<LevelTask> => ({
  topics: [levelTopic(level)],
  members: ctx.workers,
  codec: LevelTask,
  handle: async ({ work }, unit) => {
    if (work?.$case === "evaluate") return evaluateTile(ctx, work.value, unit);
    if (work?.$case === "cascade") return cascadeTile(ctx, work.value, unit);
    throw new DomainError("invalidArgument", "TASK_UNREADABLE", "Cannot compute a level task of an unknown kind");
  },
});

async function evaluateTile(ctx: LevelWorkerContext, task: EvaluateTask, unit: UnitContext): Promise<Uint8Array> {
  const { imageId, level, reductions, x, y, width, height } = task;
  const { maps } = await computeTileMaps({
    image: levelled(await ctx.images.open(imageId), 1),
    network: await ctx.networks.load(level?.modelId ?? ""),
    reduction: level?.reduction ?? 1,
    tile: { x, y, width, height },
    blockSide: blockSide(reductions),
    open: undefined,
    isNaive: false,
    signal: unit.signal,
    progress: unit.progress,
  });
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
  const { stored, seconds } = await computeLevel(ctx, task, plan, place, unit);
  const next = plan.levels[place + 1];
  const spent = task.seconds + seconds;
  if (next && countOpen(stored.state) > 0) {
    const key = stateKey(task, task.level);
    await ctx.objects.put(key, encodeTileState(stored), { ifAbsent: true });
    // Another has finished the tile while this worker stood still: the job may have removed its states already, and nobody asks again.
    if (await ctx.objects.head(unit.outputKey)) {
      await ctx.objects.delete(key);
      return undefined;
    }
    const value = encode(LevelTask, {
      work: { $case: "cascade", value: { ...task, level: next.level, seconds: spent } },
    });
    await ctx.queue.publish(levelTopic(next.level), [
      { key: `${task.prefix}/${task.tile}`, value, headers: unit.headers },
    ]);
    return undefined;
  }
  const image = levelled(await ctx.images.open(task.imageId), plan.scale);
  const chain = plan.levels.slice(place).map(({ reduction }) => reduction);
  const resultKey = objectKey(task.prefix, "results", String(task.tile));
  const state = expandThrough(stored.state, chain, task, image);
  await ctx.objects.put(resultKey, encodeTileState({ ...stored, state }), { ifAbsent: true });
  return encode(TileRecord, { levels: [...stored.counts], seconds: spent, resultKey });
}

async function computeLevel(
  ctx: LevelWorkerContext,
  task: CascadeTask,
  plan: CascadePlan,
  place: number,
  unit: UnitContext,
): Promise<{ readonly stored: StoredState; readonly seconds: number }> {
  const { level, reduction, modelId } = plan.levels[place]!;
  const done = await ctx.objects.find(stateKey(task, level));
  if (done) return { stored: decodeTileState(done.bytes), seconds: 0 };
  const image = levelled(await ctx.images.open(task.imageId), plan.scale);
  const before = await stateBefore(ctx, task, plan, place, image);
  const { maps, seconds } = await computeTileMaps({
    image,
    network: await ctx.networks.load(modelId),
    reduction,
    tile: task,
    blockSide: plan.blockSide,
    open: openPixels(before.state),
    isNaive: plan.isNaive,
    signal: unit.signal,
    progress: unit.progress,
  });
  const rule = { level, endsAt: plan.endsAt, thresholds: plan.thresholds[level - 1] ?? {} };
  const { state, counts } = decideLevel(before.state, maps, rule);
  const message = {
    level,
    computed: BigInt(counts.computed),
    accepted: BigInt(counts.accepted),
    rejected: BigInt(counts.rejected),
  };
  return { stored: { state, counts: [...before.counts, message] }, seconds };
}

async function stateBefore(
  ctx: LevelWorkerContext,
  task: CascadeTask,
  plan: CascadePlan,
  place: number,
  image: { readonly width: number; readonly height: number },
): Promise<StoredState> {
  const { reduction } = plan.levels[place]!;
  const coarser = plan.levels[place - 1];
  if (!coarser) {
    const { width, height } = rectAtLevel(task, reduction);
    return { state: openState(width, height), counts: [] };
  }
  const { state, counts } = decodeTileState(await ctx.objects.get(stateKey(task, coarser.level)));
  return { state: expandThrough(state, [coarser.reduction, reduction], task, image), counts };
}
