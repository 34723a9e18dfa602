/** @file The step loop of one network: batches in, weights out, checkpoints on the way. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "../lib/errors.ts";
import type { NetworkDescription } from "../lib/network/network-description.ts";
import { OPTIMIZERS, type OptimizerName } from "../lib/network/optimizers.ts";
import { initialParameters } from "../lib/network/parameters.ts";
import { trainingGraph } from "../lib/network/training-graph.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import type { Session } from "../lib/runtime/session.ts";
import { float32Data } from "../lib/runtime/tensor.ts";
import { JobCancelled } from "../lib/service/jobs/cancellation.ts";
import { addWeights, modelWeights } from "./averaged-weights.ts";
import type { Batch } from "./batches.ts";
import type { CheckpointFile, RunState } from "./checkpoint.ts";
import { ACCURACY_STEPS, LOSS_STEPS } from "./curve.ts";
import { learningRateAt, type RateSchedule } from "./learning-rate.ts";

const CHECKPOINT_EVERY_MS = 2_000;
const REPORT_EVERY_MS = 1_000;
/** How long a cancelled run waits for the step in hand, to save it: with the 300 ms until it hears of a cancel well under a second. */
const CANCELLED_STEP_MS = 400;
/** How long a run that is given back waits for it, so that another goes on with no step lost: well within the time to drain. */
const LAST_STEP_MS = 10_000;

export interface RunSettings {
  readonly network: NetworkDescription;
  readonly iterations: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly rateSchedule: RateSchedule;
  readonly optimizer: OptimizerName;
  readonly initialAccumulator: number;
  readonly weightDecay: number;
  /** The model is the mean of the weights over the last so many steps; 0 or 1: the last weights. */
  readonly averagedSteps: number;
  readonly seed: number;
  readonly classWeights: Float32Array;
  readonly channelMeans: Float32Array;
}

export interface RunContext {
  /** Which training it is, for people: "fold 1 level 2, seed 3". */
  readonly name: string;
  readonly runtime: Runtime;
  readonly checkpoint: CheckpointFile;
  /** Called for one step after the other, a step ahead. */
  readonly batch: (step: number) => Promise<Batch>;
  /** The accuracy of a model of these weights, for the curve. */
  readonly accuracyOf: (weights: Float32Array) => Promise<number>;
  readonly signal: AbortSignal;
  /** Called about every second, and after every checkpoint with `saved`. */
  readonly report: (state: RunState, stepsPerSecond: number, saved: boolean) => Promise<void>;
}

export interface TrainedNetwork {
  readonly state: RunState;
  /** The model's: the last or averaged ones. */
  readonly weights: Float32Array;
  readonly stepsPerSecond: number;
}

const firstState = ({ network, seed, optimizer, initialAccumulator }: RunSettings): RunState => {
  const parameters = initialParameters(network, seed);
  const kept = parameters.length * OPTIMIZERS[optimizer].accumulatorsPerParameter;
  return {
    step: 0,
    parameters,
    accumulators: new Float32Array(kept).fill(optimizer === "adagrad" ? initialAccumulator : 0),
    weightSum: new Float64Array(),
    losses: [],
    openLoss: 0,
    accuracies: [],
  };
};

const diverged = (name: string, what: string, learningRate: number): DomainError =>
  new DomainError(
    "failedPrecondition",
    "TRAINING_DIVERGED",
    `Cannot go on training ${name}: ${what}; take another seed, another network, or a learning rate below ${learningRate}`,
  );

/** One step: the next state, a function of the state and the batch alone. */
async function takeStep(
  { session, name }: { readonly session: Session; readonly name: string },
  settings: RunSettings,
  state: RunState,
  batch: Batch,
): Promise<RunState> {
  const { batchSize, classWeights, channelMeans, learningRate } = settings;
  const size = state.parameters.length;
  const outputs = await session.run({
    patches: { type: "uint8", dims: [batchSize, 3, 32, 32], data: batch.patches, transfer: true },
    labels: { type: "int32", dims: [batchSize], data: batch.labels, transfer: true },
    classWeights: { type: "float32", dims: [3], data: classWeights },
    channelMeans: { type: "float32", dims: [3], data: channelMeans },
    learningRate: { type: "float32", dims: [], data: Float32Array.of(learningRateAt(settings, state.step)) },
    parameters: { type: "float32", dims: [size], data: state.parameters, transfer: true },
    accumulators: { type: "float32", dims: [state.accumulators.length], data: state.accumulators, transfer: true },
  });
  const step = state.step + 1;
  const loss = float32Data(outputs.loss)[0] ?? Number.NaN;
  if (!Number.isFinite(loss)) throw diverged(name, `the loss of step ${step} is not a number`, learningRate);
  const openLoss = state.openLoss + loss;
  const isFull = step % LOSS_STEPS === 0;
  const parameters = float32Data(outputs.parametersOut);
  return {
    step,
    parameters,
    accumulators: float32Data(outputs.accumulatorsOut),
    weightSum: addWeights(settings, { step, parameters, weightSum: state.weightSum }),
    losses: isFull ? [...state.losses, Math.fround(openLoss / LOSS_STEPS)] : state.losses,
    openLoss: isFull ? 0 : openLoss,
    accuracies: state.accuracies,
  };
}

/** Returns what `work` returns; when `signal` aborts, throws the abort unless the work is done soon after. */
async function soonAfterAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const settled = new AbortController();
  const tooLate = async (): Promise<never> => {
    if (!signal.aborted) await once(signal, "abort", { signal: settled.signal });
    const waitMs = signal.reason instanceof JobCancelled ? CANCELLED_STEP_MS : LAST_STEP_MS;
    await sleep(waitMs, undefined, { signal: settled.signal });
    throw signal.reason;
  };
  try {
    return await Promise.race([work, tooLate()]);
  } finally {
    settled.abort();
  }
}

/**
 * Trains from the checkpoint, or from the beginning, to the last step, and saves that too. When `signal` aborts, saves where it is and throws
 * the abort; a step that takes long is given up then. Bit for bit the same whether it was interrupted or not. Throws failedPrecondition TRAINING_DIVERGED.
 */
export async function trainNetwork(ctx: RunContext, settings: RunSettings): Promise<TrainedNetwork> {
  const { network, batchSize, weightDecay, optimizer, iterations, learningRate } = settings;
  const { signal, name } = ctx;
  const { channelBlock } = ctx.runtime;
  const session = await ctx.runtime.session(
    trainingGraph(network, { batchSize, weightDecay, optimizer, channelBlock }),
    {
      pinned: true,
    },
  );
  try {
    let state = ctx.checkpoint.state ?? firstState(settings);
    const first = state.step;
    const startedMs = performance.now();
    let savedMs = startedMs;
    let reportedMs = startedMs;
    const speed = (): number => ((state.step - first) * 1_000) / Math.max(1, performance.now() - startedMs);
    if (lacksAccuracy(state)) state = await withAccuracy(ctx, settings, state);
    let next = state.step < iterations ? await ctx.batch(state.step) : undefined;
    while (next) {
      const upcoming = state.step + 1 < iterations ? ctx.batch(state.step + 1) : undefined;
      [state, next] = await soonAfterAbort(
        Promise.all([takeStep({ session, name }, settings, state, next), upcoming]),
        signal,
      );
      if (lacksAccuracy(state)) state = await withAccuracy(ctx, settings, state);
      const now = performance.now();
      const mustSave = signal.aborted || !next || now - savedMs >= CHECKPOINT_EVERY_MS;
      if (mustSave) await ctx.checkpoint.save(state);
      signal.throwIfAborted();
      if (mustSave || now - reportedMs >= REPORT_EVERY_MS) {
        await ctx.report(state, speed(), mustSave);
        reportedMs = now;
      }
      if (mustSave) savedMs = now;
    }
    const weights = modelWeights(settings, state);
    // a step's loss is of the weights before it: nothing has looked at the last ones
    if (!weights.every(Number.isFinite)) throw diverged(name, "its last weights are no numbers", learningRate);
    return { state, weights, stepsPerSecond: speed() };
  } finally {
    const released = session.release();
    // after an abort a long step may still be running: nobody waits for its end
    if (signal.aborted) released.catch(() => undefined);
    else await released;
  }
}

/** Whether a point of the accuracy curve is due that the state does not have: also where measuring it was cut short. */
const lacksAccuracy = ({ step, accuracies }: RunState): boolean =>
  step % ACCURACY_STEPS === 0 && accuracies.length < step / ACCURACY_STEPS;

/** A state with the curve's next accuracy; an abort meanwhile saves the state without it. */
async function withAccuracy(ctx: RunContext, settings: RunSettings, state: RunState): Promise<RunState> {
  try {
    const accuracy = await ctx.accuracyOf(modelWeights(settings, state));
    return { ...state, accuracies: [...state.accuracies, accuracy] };
  } catch (error) {
    if (ctx.signal.aborted) await ctx.checkpoint.save(state);
    throw error;
  }
}
