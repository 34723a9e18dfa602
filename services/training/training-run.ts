/** @file The step loop of one network: batches in, weights out, checkpoints on the way. */
import { DomainError } from "../lib/errors.ts";
import type { NetworkDescription } from "../lib/network/network-description.ts";
import { initialParameters } from "../lib/network/parameters.ts";
import { trainingGraph } from "../lib/network/training-graph.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import type { Session } from "../lib/runtime/session.ts";
import { float32Data } from "../lib/runtime/tensor.ts";
import type { Batch } from "./batches.ts";
import type { CheckpointFile, RunState } from "./checkpoint.ts";

/** Steps per point of the loss curve. */
export const CURVE_STEPS = 50;
const CHECKPOINT_EVERY_MS = 2_000;
const REPORT_EVERY_MS = 1_000;

export interface RunSettings {
  readonly network: NetworkDescription;
  readonly iterations: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly initialAccumulator: number;
  readonly weightDecay: number;
  readonly seed: number;
  readonly classWeights: Float32Array;
  readonly channelMeans: Float32Array;
}

export interface RunContext {
  readonly runtime: Runtime;
  readonly checkpoint: CheckpointFile;
  readonly batch: (step: number) => Batch;
  readonly signal: AbortSignal;
  /** Called about every second, and after every checkpoint with `saved`. */
  readonly report: (state: RunState, stepsPerSecond: number, saved: boolean) => Promise<void>;
}

export interface TrainedNetwork {
  readonly state: RunState;
  readonly stepsPerSecond: number;
}

const firstState = ({ network, seed, initialAccumulator }: RunSettings): RunState => {
  const parameters = initialParameters(network, seed);
  return {
    step: 0,
    parameters,
    accumulators: new Float32Array(parameters.length).fill(initialAccumulator),
    losses: [],
    openLoss: 0,
  };
};

const diverged = (step: number, learningRate: number): DomainError =>
  new DomainError(
    "failedPrecondition",
    "TRAINING_DIVERGED",
    `Cannot go on training: the loss of step ${step} is not a number; take a learning rate below ${learningRate}`,
  );

/** One step: the next state, a function of the state and the batch alone. */
async function takeStep(session: Session, settings: RunSettings, state: RunState, batch: Batch): Promise<RunState> {
  const { batchSize, classWeights, channelMeans, learningRate } = settings;
  const size = state.parameters.length;
  const outputs = await session.run({
    patches: { type: "uint8", dims: [batchSize, 3, 32, 32], data: batch.patches, transfer: true },
    labels: { type: "int32", dims: [batchSize], data: batch.labels, transfer: true },
    classWeights: { type: "float32", dims: [3], data: classWeights },
    channelMeans: { type: "float32", dims: [3], data: channelMeans },
    learningRate: { type: "float32", dims: [], data: Float32Array.of(learningRate) },
    parameters: { type: "float32", dims: [size], data: state.parameters, transfer: true },
    accumulators: { type: "float32", dims: [size], data: state.accumulators, transfer: true },
  });
  const step = state.step + 1;
  const loss = float32Data(outputs.loss)[0] ?? Number.NaN;
  if (!Number.isFinite(loss)) throw diverged(step, learningRate);
  const openLoss = state.openLoss + loss;
  const isFull = step % CURVE_STEPS === 0;
  return {
    step,
    parameters: float32Data(outputs.parametersOut),
    accumulators: float32Data(outputs.accumulatorsOut),
    losses: isFull ? [...state.losses, Math.fround(openLoss / CURVE_STEPS)] : state.losses,
    openLoss: isFull ? 0 : openLoss,
  };
}

/**
 * Trains from the checkpoint, or from the beginning, to the last step. When `signal` aborts, saves where it is and throws the abort.
 * Bit for bit the same whether it was interrupted or not. Throws failedPrecondition TRAINING_DIVERGED.
 */
export async function trainNetwork(ctx: RunContext, settings: RunSettings): Promise<TrainedNetwork> {
  const { network, batchSize, weightDecay, iterations } = settings;
  const session = await ctx.runtime.session(trainingGraph(network, { batchSize, weightDecay }), { pinned: true });
  try {
    let state = ctx.checkpoint.state ?? firstState(settings);
    const first = state.step;
    const startedMs = performance.now();
    let savedMs = startedMs;
    let reportedMs = startedMs;
    const speed = (): number => ((state.step - first) * 1_000) / Math.max(1, performance.now() - startedMs);
    // The next batch is put together while the network works on this one.
    let next = state.step < iterations ? ctx.batch(state.step) : undefined;
    while (next) {
      const running = takeStep(session, settings, state, next);
      next = state.step + 1 < iterations ? ctx.batch(state.step + 1) : undefined;
      state = await running;
      const now = performance.now();
      const mustSave = ctx.signal.aborted || now - savedMs >= CHECKPOINT_EVERY_MS;
      if (mustSave) await ctx.checkpoint.save(state);
      ctx.signal.throwIfAborted();
      if (mustSave || now - reportedMs >= REPORT_EVERY_MS) await ctx.report(state, speed(), mustSave);
      if (mustSave) savedMs = now;
      if (mustSave || now - reportedMs >= REPORT_EVERY_MS) reportedMs = now;
    }
    return { state, stepsPerSecond: speed() };
  } finally {
    await session.release();
  }
}
