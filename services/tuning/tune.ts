/** @file Tune: thresholds from the full maps of validation images (METHOD.md 6). One unit. */
import { invalid } from "../lib/errors.ts";
import { mostCompute } from "../lib/method/cascade.ts";
import { checkCleaning, pickCleaning } from "../lib/method/cleaning.ts";
import { checkValidationOnly } from "../lib/method/folds.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { Cohort, CohortMember, Fold } from "../lib/proto/radhical/v1/datasets.ts";
import { GetTuningResponse, TuneRequest } from "../lib/proto/radhical/v1/tuning.ts";
import { type Evaluation, TuneTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, EVALUATION, SPLIT, TUNING } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import { readLevelModel } from "../lib/service/stored-models.ts";
import { TUNE_TOPIC } from "../lib/service/topics.ts";

/** Progress of a tuning counts to this. */
export const TUNE_AMOUNT = 100;

/** How much is searched beyond the published greedy search (METHOD.md 6): some two minutes for ten images of 512 x 512 pixels. */
export const EFFORT = { prices: 20, randomPoints: 2000, seed: 1n } as const;

export interface TuneContext {
  readonly objects: ObjectStore;
}

/** Returns the cohort's members that some images are. Throws NOT_IN_COHORT. */
export function membersOf(cohort: Cohort, imageIds: readonly string[]): CohortMember[] {
  const byId = new Map(cohort.members.map((member) => [member.imageId, member]));
  return imageIds.map((imageId) => {
    const member = byId.get(imageId);
    if (!member)
      throw invalid("NOT_IN_COHORT", `Cannot use image "${imageId}": it is not in the cohort, so it has no annotation`);
    return member;
  });
}

/**
 * Returns the levels whose models have seen too little of a class to accept anything (METHOD.md 4). A model of another fold, or of another
 * split, is refused: it has been trained on this fold's test patients, or on its validation images.
 */
async function checkModels(
  { objects }: TuneContext,
  { levels }: Evaluation,
  own: Fold,
  splitId: string,
): Promise<number[]> {
  const rare: number[] = [];
  for (const asked of levels) {
    const { level } = asked;
    const { model } = await readLevelModel(objects, asked);
    if (model?.fold === own.fold && model.splitId === splitId) {
      if (model.rareClasses.length > 0) rare.push(level);
      continue;
    }
    const trained = `fold ${model?.fold} of split "${model?.splitId}"`;
    const message = `Cannot tune fold ${own.fold} of split "${splitId}" with the model of level ${level}: it was trained for ${trained}`;
    throw invalid("MODEL_OF_OTHER_FOLD", `${message}; evaluate the validation images with this fold's models`);
  }
  return rare;
}

function checkWish(wish: TuneRequest["wish"], { levels }: Evaluation): void {
  if (!wish) return;
  const refuse = (why: string): never => {
    throw invalid("TUNING_INVALID", `Cannot tune for "${wish.value}": ${why}`);
  };
  if (!(wish.value > 0)) refuse("give more than 0");
  if (wish.$case === "minScore" && wish.value > 1) refuse("a score is at most 1");
  const most = mostCompute(levels.map(({ reduction }) => reduction));
  if (wish.$case === "maxComputeFraction" && wish.value > most)
    refuse(`all levels together compute ${most.toFixed(2)}`);
}

/** Returns the definition of tune jobs. */
export const tuneJobs = (ctx: TuneContext): JobDefinition<TuneRequest> => ({
  kind: "tune",
  unit: "%",
  codec: TuneRequest,
  plan: async (request) => {
    const { evaluationId, cohortId, splitId, fold, withoutUpper: given, wish } = request;
    const evaluation = await readDocument(ctx.objects, EVALUATION, evaluationId);
    const cohort = await readDocument(ctx.objects, COHORT, cohortId);
    const { folds } = await readDocument(ctx.objects, SPLIT, splitId);
    const own = folds.find((candidate) => candidate.fold === fold);
    if (!own) throw invalid("FOLD_UNKNOWN", `Cannot tune fold ${fold}: the split has folds 1 to ${folds.length}`);
    const cleaning = pickCleaning(request);
    checkCleaning(cleaning, "TUNING_INVALID");
    checkWish(wish, evaluation);
    const stray = given.find((level) => evaluation.levels.every((own) => own.level !== level));
    if (stray !== undefined)
      throw invalid("TUNING_INVALID", `Cannot tune level ${stray} without an upper threshold: it was not evaluated`);
    checkValidationOnly(evaluation.imageIds, own);
    const rare = await checkModels(ctx, evaluation, own, splitId);
    const withoutUpper = [...new Set([...given, ...rare])].sort((a, b) => a - b);
    const { annotation, maskKind } = cohort;
    const members = membersOf(cohort, evaluation.imageIds);
    const task = { evaluation, members, annotation, maskKind, ...cleaning, withoutUpper, wish, ...EFFORT };
    const id = contentId("tuning", encode(TuneTask, task));
    const outputKey = objectKey("tuning-records", id);
    return {
      resultId: id,
      units: [planUnit({ topic: TUNE_TOPIC, key: id, codec: TuneTask, task, outputKey, amount: TUNE_AMOUNT })],
    };
  },
  finish: async (_request, id, units) => {
    for await (const { outputKey } of units)
      await createDocument(ctx.objects, TUNING, id, await readRecord(ctx.objects, GetTuningResponse, outputKey));
    return undefined;
  },
});
