/** @file Searches thresholds on the maps of the validation images. */
import { pickCleaning } from "../lib/method/cleaning.ts";
import type { ValidationImage } from "../lib/method/evaluator.ts";
import { findNuclei } from "../lib/method/nuclei.ts";
import { type TuningProgress, tuneThresholds } from "../lib/method/thresholds.ts";
import type { TradeoffPoint, Wish } from "../lib/method/tradeoff.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { GetTuningResponse, type TradeoffPoint as TradeoffMessage } from "../lib/proto/radhical/v1/tuning.ts";
import { TuneTask } from "../lib/proto/radhical/v1/work.ts";
import { thresholdMessages } from "../lib/service/cascade-plan.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitContext, UnitHandler } from "../lib/service/jobs/worker.ts";
import { readMap } from "../lib/service/map-keys.ts";
import { annotationWord } from "../lib/service/method-words.ts";
import { TUNE_TOPIC } from "../lib/service/topics.ts";
import { openScorers, sharedFloats, sharedNuclei } from "./scorers.ts";
import { TUNE_AMOUNT } from "./tune.ts";

const REPORT_EVERY_MS = 1_000;

export interface TuneWorkerContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
  /** Threads that score thresholds. */
  readonly workers: number;
}

/** Returns the worker of tune jobs. */
export const tuneWorker = (ctx: TuneWorkerContext): UnitHandler<TuneTask> => ({
  topics: [TUNE_TOPIC],
  members: 1,
  codec: TuneTask,
  handle: async (task, unit) => {
    const reductions = (task.evaluation?.levels ?? []).map(({ reduction }) => reduction);
    const images: ValidationImage[] = [];
    for (const member of task.members) {
      images.push(await readValidationImage(ctx, task, member.imageId, member.maskId));
      await unit.progress();
    }
    const { withoutUpper, prices, randomPoints } = task;
    const annotation = annotationWord(task.annotation);
    const seed = String(task.seed);
    const wish = wishOf(task);
    const settings = { reductions, annotation, ...pickCleaning(task), withoutUpper, prices, randomPoints, seed, wish };
    const scorers = openScorers({ images, settings }, ctx.workers);
    const stop = (): void => void scorers.stop();
    unit.signal.addEventListener("abort", stop);
    const tuning = await tuneThresholds(images, settings, { scoreAll: scorers.scoreAll, onProgress: report(unit) })
      .catch((error: unknown) => {
        unit.signal.throwIfAborted(); // the threads ended because of it
        throw error;
      })
      .finally(() => {
        unit.signal.removeEventListener("abort", stop);
        return scorers.stop();
      });
    return encode(GetTuningResponse, {
      chosen: tuning.chosen.map(pointMessage),
      greedy: tuning.greedy.map(pointMessage),
      dense: pointMessage(tuning.dense),
      tradeoff: tuning.tradeoff.map(pointMessage),
    });
  },
});

function wishOf({ wish }: TuneTask): Wish | undefined {
  if (!wish) return undefined;
  return wish.$case === "minScore" ? { minScore: wish.value } : { maxComputeFraction: wish.value };
}

const pointMessage = ({ endsAt, computeFraction, score, f, thresholds }: TradeoffPoint): TradeoffMessage => ({
  endsAt,
  computeFraction,
  score,
  f,
  levels: thresholdMessages(thresholds),
});

/** Returns what hears how far the search is, and tells it on. */
function report({ signal, progress }: UnitContext) {
  let reportedMs = 0;
  return async ({ doneSteps, totalSteps }: TuningProgress): Promise<void> => {
    signal.throwIfAborted();
    const now = performance.now();
    if (now - reportedMs < REPORT_EVERY_MS) return;
    reportedMs = now;
    await progress({ amount: Math.floor((TUNE_AMOUNT * doneSteps) / totalSteps) });
  };
}

async function readValidationImage(
  ctx: TuneWorkerContext,
  task: TuneTask,
  imageId: string,
  maskId: string,
): Promise<ValidationImage> {
  const { width, height } = await ctx.images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
  const { labels, kind } = await ctx.images.mask(maskId, task.maskKind);
  const levels = task.evaluation?.levels ?? [];
  const reductions = levels.map(({ reduction }) => reduction);
  const maps: Float32Array[] = [];
  for (const level of levels) {
    const tile = task.evaluation?.tile ?? 0;
    maps.push(sharedFloats(await readMap(ctx.objects, { imageId, level, reductions, tile }, width, height)));
  }
  return { width, height, maps, nuclei: sharedNuclei(findNuclei(labels, width, height, kind)) };
}
