/** @file Checkpoints: a training run between two steps, written whole or not at all, by one owner. */
import { DomainError } from "../lib/errors.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Checkpoint } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import { bytesOf, doublesOf, floatsOf } from "../lib/service/number-bytes.ts";

/** The state of a run that steps change. */
export interface RunState {
  readonly step: number;
  readonly parameters: Float32Array;
  readonly accumulators: Float32Array;
  /** Sum of the weights after every averaged step so far (averaged-weights.ts). */
  readonly weightSum: Float64Array;
  /** Mean loss of every full stretch of the curve. */
  readonly losses: readonly number[];
  readonly openLoss: number;
  /** Accuracy of the model so far on a sample of the test patches, a point for every full stretch of that curve. */
  readonly accuracies: readonly number[];
}

/** What a checkpoint must agree with to be gone on from. */
export interface RunIdentity {
  readonly dataSha256: string;
  readonly computeClass: string;
}

/** A run's place in the store. */
export interface CheckpointFile {
  /** The state to go on from; undefined: from the beginning. */
  readonly state: RunState | undefined;
  /** Stores a state. Throws unavailable RUN_TAKEN_OVER if another worker has stored one meanwhile: it owns the run now. */
  save(state: RunState): Promise<void>;
}

/** How the keys of a task's checkpoints begin. */
const checkpointsOf = (taskId: string): string => objectKey("training", taskId, "checkpoint-");

/** Returns the key of a task's checkpoint. Each compute class has its own: where a task moves to and fro between two, neither begins over the other's. */
export const checkpointKey = (taskId: string, computeClass: string): string =>
  `${checkpointsOf(taskId)}${contentId(computeClass)}`;

/** Removes a task's checkpoints. */
export async function removeCheckpoints(objects: ObjectStore, taskId: string): Promise<void> {
  for await (const { key } of objects.list(checkpointsOf(taskId))) await objects.delete(key);
}

/** Returns the compute classes other than `own` in which a task was begun. */
export async function otherClasses(objects: ObjectStore, taskId: string, own: string): Promise<string[]> {
  const classes: string[] = [];
  for await (const { key } of objects.list(checkpointsOf(taskId))) {
    const found = key === checkpointKey(taskId, own) ? undefined : await objects.find(key);
    if (found) classes.push(Checkpoint.decode(found.bytes).computeClass);
  }
  return classes;
}

const stateOf = ({ step, losses, openLoss, accuracies, ...arrays }: Checkpoint): RunState => ({
  step,
  losses,
  openLoss,
  accuracies,
  parameters: floatsOf(arrays.parameters),
  accumulators: floatsOf(arrays.accumulators),
  weightSum: doublesOf(arrays.weightSum),
});

/** Returns the checkpoint under `key`; one of other data or another compute class is never gone on from. */
export async function openCheckpoint(
  objects: ObjectStore,
  key: string,
  identity: RunIdentity,
): Promise<CheckpointFile> {
  const found = await objects.find(key);
  let etag = found?.etag;
  const stored = found && Checkpoint.decode(found.bytes);
  const fits = stored?.dataSha256 === identity.dataSha256 && stored.computeClass === identity.computeClass;
  return {
    state: stored && fits ? stateOf(stored) : undefined,
    save: async ({ parameters, accumulators, weightSum, losses, accuracies, ...rest }) => {
      const document = {
        ...rest,
        ...identity,
        losses: [...losses],
        accuracies: [...accuracies],
        parameters: bytesOf(parameters),
        accumulators: bytesOf(accumulators),
        weightSum: bytesOf(weightSum),
      };
      etag = await objects.put(
        key,
        encode(Checkpoint, document),
        etag === undefined ? { ifAbsent: true } : { ifMatch: etag },
      );
      if (etag === undefined) {
        throw new DomainError(
          "unavailable",
          "RUN_TAKEN_OVER",
          "Cannot save a checkpoint: another worker has taken the run over",
        );
      }
    },
  };
}
