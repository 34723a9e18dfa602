/** @file Train: one model per fold and level of a database set (METHOD.md 4). */
import { DomainError, invalid } from "../lib/errors.ts";
import { checkMembers, MAX_MEMBERS, MAX_SEED } from "../lib/network/members.ts";
import { DEFAULT_NETWORK, type NetworkDescription, readNetwork } from "../lib/network/network-description.ts";
import type { OptimizerName } from "../lib/network/optimizers.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import {
  Model,
  Optimizer,
  RateSchedule,
  type TrainingSettings,
  TrainRequest,
} from "../lib/proto/radhical/v1/training.ts";
import { type PlannedUnit, TrainTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { DATABASE_SET, MODEL_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit, type UnitPlan } from "../lib/service/jobs/units.ts";
import { TRAIN_TOPIC } from "../lib/service/topics.ts";
import { removeCheckpoints } from "./checkpoint.ts";
import type { RateSchedule as ScheduleName } from "./learning-rate.ts";

export interface TrainContext {
  readonly objects: ObjectStore;
}

/** Returns the id of what a task trains: a function of the task alone. */
export const trainTaskId = (task: TrainTask): string => contentId(encode(TrainTask, task));

/** Returns the network that settings ask for. Throws NETWORK_INVALID. */
export function networkOf({ network }: Pick<TrainingSettings, "network">): NetworkDescription {
  return network === "" ? DEFAULT_NETWORK : readNetwork(network);
}

const OPTIMIZER_NAME: Partial<Record<Optimizer, OptimizerName>> = {
  [Optimizer.OPTIMIZER_ADAGRAD]: "adagrad",
  [Optimizer.OPTIMIZER_ADAM]: "adam",
};
const SCHEDULE_NAME: Partial<Record<RateSchedule, ScheduleName>> = {
  [RateSchedule.RATE_SCHEDULE_CONSTANT]: "constant",
  [RateSchedule.RATE_SCHEDULE_COSINE]: "cosine",
};

/** Returns the optimizer and the schedule that settings ask for. Throws TRAINING_INVALID where they ask for none. */
export function rulesOf(settings: TrainingSettings): { optimizer: OptimizerName; rateSchedule: ScheduleName } {
  const optimizer = OPTIMIZER_NAME[settings.optimizer];
  const rateSchedule = SCHEDULE_NAME[settings.rateSchedule];
  if (!optimizer || !rateSchedule)
    throw invalid("TRAINING_INVALID", "Cannot train: optimizer or rate_schedule is none that is known here");
  return { optimizer, rateSchedule };
}

function checkSettings(settings: TrainingSettings | undefined): TrainingSettings {
  if (!settings) throw invalid("TRAINING_INVALID", "Cannot train without settings");
  const { iterations, batchSize, learningRate, initialAccumulator, weightDecay, stainJitter } = settings;
  const { averagedSteps, members, seed } = settings;
  const problems = [
    iterations >= 1 ? "" : `iterations is ${iterations}, at least 1 is needed`,
    batchSize >= 1 && batchSize <= 4096 ? "" : `batch_size is ${batchSize}, 1 to 4096 is possible`,
    learningRate > 0 ? "" : `learning_rate is ${learningRate}, it must be above 0`,
    initialAccumulator >= 0 ? "" : `initial_accumulator is ${initialAccumulator}, it must not be negative`,
    weightDecay >= 0 ? "" : `weight_decay is ${weightDecay}, it must not be negative`,
    stainJitter >= 0 && stainJitter <= 1 ? "" : `stain_jitter is ${stainJitter}, 0 to 1 is possible`,
    averagedSteps >= 0 ? "" : `averaged_steps is ${averagedSteps}, it must not be negative`,
    members >= 0 && members <= MAX_MEMBERS ? "" : `members is ${members}, 0 to ${MAX_MEMBERS} is possible`,
    seed >= 0n && seed <= MAX_SEED ? "" : `seed is ${seed}, 0 to ${MAX_SEED} is possible`,
    OPTIMIZER_NAME[settings.optimizer] ? "" : "optimizer is none that is known here",
    SCHEDULE_NAME[settings.rateSchedule] ? "" : "rate_schedule is none that is known here",
  ].filter((problem) => problem !== "");
  if (problems.length > 0) throw invalid("TRAINING_INVALID", `Cannot train: ${problems.join("; ")}`);
  for (const field of ["network", "coarseNetwork"] as const) {
    try {
      checkMembers(networkOf({ network: settings[field] }), members);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      const name = field === "network" ? "network" : "coarse_network";
      throw invalid(error.reason, `${error.message} (settings.${name})`, error);
    }
  }
  return settings;
}

/**
 * Coarser levels may do without their rarest class. Level 1 learns nothing without nuclei, and tuning would say so after all networks are
 * trained; without anything else it learns to call all a nucleus, which masks that are all annotated reward.
 */
function checkBothClasses(fold: number, patches: bigint, [outside = 0n, ...nuclei]: readonly bigint[]): void {
  const none = `Cannot train fold ${fold} level 1: none of the ${patches} patches of its training database is`;
  if (nuclei.every((count) => count === 0n)) {
    const cure = "check the masks of the cohort, and that positive centres were asked for";
    throw invalid("NO_NUCLEI", `${none} of a nucleus; ${cure}`);
  }
  if (outside === 0n) {
    const cure =
      "check that its masks are 0 where nothing is annotated, and that edge or background centres were asked for";
    throw invalid("NO_BACKGROUND", `${none} outside a nucleus; ${cure}`);
  }
}

const recordKey = (task: TrainTask): string => objectKey("training", trainTaskId(task), "record");

const trainUnit = (
  task: TrainTask,
  place: Pick<Partial<UnitPlan<TrainTask>>, "amount" | "group" | "after">,
): PlannedUnit =>
  planUnit({
    topic: TRAIN_TOPIC,
    key: `${task.fold}-${task.level}-${trainTaskId(task)}`,
    codec: TrainTask,
    task,
    outputKey: recordKey(task),
    ...place,
  });

/** The units that train a task's network with as many seeds from its own on, and the one that joins them to a model. */
function joinedUnits(task: TrainTask, settings: TrainingSettings, members: number): PlannedUnit[] {
  const trainings = Array.from({ length: members }, (_, member) => ({
    ...task,
    settings: { ...settings, seed: settings.seed + BigInt(member) },
  }));
  const joined = { ...task, settings: { ...settings, members }, memberRecords: trainings.map(recordKey) };
  const group = trainTaskId(joined);
  return [
    ...trainings.map((training) => trainUnit(training, { amount: settings.iterations, group })),
    trainUnit(joined, { amount: 0, after: group }),
  ];
}

/** Whether a unit's model is one of the job's result; others are only joined to one. */
const isModelOfSet = ({ group }: PlannedUnit): boolean => group === "";

/** Returns the definition of train jobs; progress counts steps. */
export const trainJobs = (ctx: TrainContext): JobDefinition<TrainRequest> => ({
  kind: "train",
  unit: "steps",
  codec: TrainRequest,
  plan: async ({ databaseSetId, settings: given }) => {
    const checked = checkSettings(given);
    // Written out, so that another default network in a later version is another task; a task knows nothing of what others are asked for.
    const own = { ...checked, network: JSON.stringify(networkOf(checked)), coarseNetwork: "", members: 0 };
    const coarse = {
      ...own,
      network: JSON.stringify(networkOf({ network: checked.coarseNetwork || checked.network })),
    };
    const { records, reductions, mpp, splitId } = await readDocument(ctx.objects, DATABASE_SET, databaseSetId);
    const units = records.flatMap((data) => {
      const { fold = 0, level = 0, patches = 0n, byLabel = [] } = data.train?.database ?? {};
      if (patches === 0n)
        throw invalid(
          "DATABASE_EMPTY",
          `Cannot train fold ${fold} level ${level}: its training database holds no patches`,
        );
      if (level === 1) checkBothClasses(fold, patches, byLabel);
      const settings = level > 1 ? coarse : own;
      const reduction = reductions[level - 1] ?? 1;
      const task = { data, settings, fold, level, reduction, mpp, splitId, memberRecords: [] };
      return checked.members > 1
        ? joinedUnits(task, settings, checked.members)
        : [trainUnit(task, { amount: settings.iterations })];
    });
    const models = units.filter(isModelOfSet).map(({ outputKey }) => outputKey);
    return { resultId: contentId("model set", databaseSetId, ...models), units };
  },
  finish: async (_request, id, units, progress) => {
    const models: Model[] = [];
    for await (const unit of units) {
      if (isModelOfSet(unit)) models.push(await readRecord(ctx.objects, Model, unit.outputKey));
      await progress();
    }
    await createDocument(ctx.objects, MODEL_SET, id, { models });
    for await (const { message } of units) await removeCheckpoints(ctx.objects, trainTaskId(TrainTask.decode(message)));
    const rare = models
      .filter(({ rareClasses }) => rareClasses.length > 0)
      .map(({ fold, level }) => `fold ${fold} level ${level}`);
    return rare.length === 0
      ? undefined
      : `Under 50 training examples of a class in ${rare.join(", ")}: no upper threshold there`;
  },
});
