/** @file Train: one network per fold and level of a database set (METHOD.md 4). */
import { DomainError, invalid } from "../lib/errors.ts";
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
import { TrainTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { DATABASE_SET, MODEL_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
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
  const { iterations, batchSize, learningRate, initialAccumulator, weightDecay, stainJitter, averagedSteps } = settings;
  const problems = [
    iterations >= 1 ? "" : `iterations is ${iterations}, at least 1 is needed`,
    batchSize >= 1 && batchSize <= 4096 ? "" : `batch_size is ${batchSize}, 1 to 4096 is possible`,
    learningRate > 0 ? "" : `learning_rate is ${learningRate}, it must be above 0`,
    initialAccumulator >= 0 ? "" : `initial_accumulator is ${initialAccumulator}, it must not be negative`,
    weightDecay >= 0 ? "" : `weight_decay is ${weightDecay}, it must not be negative`,
    stainJitter >= 0 && stainJitter <= 1 ? "" : `stain_jitter is ${stainJitter}, 0 to 1 is possible`,
    averagedSteps >= 0 ? "" : `averaged_steps is ${averagedSteps}, it must not be negative`,
    OPTIMIZER_NAME[settings.optimizer] ? "" : "optimizer is none that is known here",
    SCHEDULE_NAME[settings.rateSchedule] ? "" : "rate_schedule is none that is known here",
  ].filter((problem) => problem !== "");
  if (problems.length > 0) throw invalid("TRAINING_INVALID", `Cannot train: ${problems.join("; ")}`);
  for (const field of ["network", "coarseNetwork"] as const) {
    try {
      networkOf({ network: settings[field] });
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

/** Returns the definition of train jobs; progress counts steps. */
export const trainJobs = (ctx: TrainContext): JobDefinition<TrainRequest> => ({
  kind: "train",
  unit: "steps",
  codec: TrainRequest,
  plan: async ({ databaseSetId, settings: given }) => {
    const checked = checkSettings(given);
    // Written out, so that another default network in a later version is another task; level 1's task knows nothing of other levels'.
    const own = { ...checked, network: JSON.stringify(networkOf(checked)), coarseNetwork: "" };
    const coarse = {
      ...own,
      network: JSON.stringify(networkOf({ network: checked.coarseNetwork || checked.network })),
    };
    const { records, reductions, mpp, splitId } = await readDocument(ctx.objects, DATABASE_SET, databaseSetId);
    const units = records.map((data) => {
      const { fold = 0, level = 0, patches = 0n, byLabel = [] } = data.train?.database ?? {};
      if (patches === 0n)
        throw invalid(
          "DATABASE_EMPTY",
          `Cannot train fold ${fold} level ${level}: its training database holds no patches`,
        );
      if (level === 1) checkBothClasses(fold, patches, byLabel);
      const settings = level > 1 ? coarse : own;
      const task = { data, settings, fold, level, reduction: reductions[level - 1] ?? 1, mpp, splitId };
      const id = trainTaskId(task);
      return planUnit({
        topic: TRAIN_TOPIC,
        key: `${fold}-${level}-${id}`,
        codec: TrainTask,
        task,
        outputKey: objectKey("training", id, "record"),
        amount: settings.iterations,
      });
    });
    return { resultId: contentId("model set", databaseSetId, ...units.map((unit) => unit.outputKey)), units };
  },
  finish: async (_request, id, units, progress) => {
    const models: Model[] = [];
    for await (const { outputKey } of units) {
      models.push(await readRecord(ctx.objects, Model, outputKey));
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
