/**
 * @file Training steps: the whole trainer, its graph alone in both variants, the forward pass of the same batch, batches alone, and with `--peers` PyTorch
 * on the same network, batch and bytes, everything on as many threads.
 */
import { PATCH_BYTES } from "../../services/lib/method/patches.ts";
import { createRandom } from "../../services/lib/method/random.ts";
import { DEFAULT_NETWORK } from "../../services/lib/network/network-description.ts";
import { initialParameters } from "../../services/lib/network/parameters.ts";
import { trainingGraph } from "../../services/lib/network/training-graph.ts";
import { RECORD_BYTES } from "../../services/lib/patches/records.ts";
import { openRuntime, type Runtime } from "../../services/lib/runtime/runtime.ts";
import type { Tensor } from "../../services/lib/runtime/tensor.ts";
import { openBatchFeed } from "../../services/training/batch-feed.ts";
import { createBatches } from "../../services/training/batches.ts";
import { type RunSettings, trainNetwork } from "../../services/training/training-run.ts";
import { seededModel } from "../seeded-models.ts";
import { type Benchmark, type Timing, timed } from "./measure.ts";
import { type PytorchPeer, startPytorch } from "./peers/pytorch.ts";

const BATCH = 128;
const STEPS = 30;
const PATCHES = 1024;
const THREADS = 2;
/** As `run` trains; PyTorch's batches are mirrored alone, and so the trainer's here. */
const STAIN_JITTER = 0.2;

const SETTINGS: RunSettings = {
  network: DEFAULT_NETWORK,
  iterations: STEPS,
  batchSize: BATCH,
  learningRate: 0.003,
  rateSchedule: "constant",
  optimizer: "adagrad",
  initialAccumulator: 0.1,
  weightDecay: 0.004,
  averagedSteps: 0,
  seed: 1,
  classWeights: Float32Array.of(1, 1, 1),
  channelMeans: Float32Array.of(190, 150, 190),
};

/** Records of random pixels: how long a step takes does not depend on them. */
function randomRecords(): Uint8Array {
  const random = createRandom("bench records");
  const records = Uint8Array.from({ length: PATCHES * RECORD_BYTES }, () => Math.floor(random.next() * 256));
  for (let i = 0; i < PATCHES; i++) records[i * RECORD_BYTES] = i % 3;
  return records;
}

/** Returns what takes steps of a training graph on one batch. */
async function openGraph(runtime: Runtime, channelBlock: number) {
  const { batchSize, weightDecay, optimizer, learningRate } = SETTINGS;
  const session = await runtime.session(
    trainingGraph(DEFAULT_NETWORK, { batchSize, weightDecay, optimizer, channelBlock }),
  );
  const records = randomRecords();
  const patches = new Uint8Array(BATCH * PATCH_BYTES).map((_, i) => records[i + 1]!);
  const parameters = initialParameters(DEFAULT_NETWORK, 1);
  const float32 = (data: Float32Array, ...dims: number[]): Tensor => ({ type: "float32", dims, data });
  const feeds = {
    patches: { type: "uint8", dims: [BATCH, 3, 32, 32], data: patches },
    labels: { type: "int32", dims: [BATCH], data: Int32Array.from({ length: BATCH }, (_, i) => i % 3) },
    classWeights: float32(SETTINGS.classWeights, 3),
    channelMeans: float32(SETTINGS.channelMeans, 3),
    learningRate: float32(Float32Array.of(learningRate)),
    parameters: float32(parameters, parameters.length),
    accumulators: float32(new Float32Array(parameters.length).fill(0.1), parameters.length),
  } as const;
  return async (): Promise<void> => {
    for (let step = 0; step < STEPS; step++) await session.run(feeds);
  };
}

const byPytorch = async (peer: PytorchPeer, graphOnly: boolean): Promise<Timing> => ({
  amount: STEPS,
  seconds: await peer.ask({ steps: STEPS, graph_only: graphOnly }),
});

export const training: Benchmark = {
  name: "training",
  unit: "step",
  ratios: [
    { name: "a step takes / its forward pass", of: "graph", to: "forward passes", by: "seconds" },
    { name: "a step takes / putting its batch together", of: "graph", to: "batches", by: "seconds" },
    { name: "graph / portable graph", of: "graph", to: "portable graph", by: "rate" },
    { name: "graph / PyTorch's, typical", of: "graph", to: "PyTorch's graph, typical", by: "rate" },
    { name: "graph / PyTorch's, best", of: "graph", to: "PyTorch's graph, best", by: "rate" },
    { name: "trainer / PyTorch, typical", of: "trainer", to: "PyTorch, typical", by: "rate" },
    { name: "trainer / PyTorch, best", of: "trainer", to: "PyTorch, best", by: "rate" },
  ],
  open: async ({ peers }) => {
    const runtime = await openRuntime({ workers: 1, threadsPerWorker: THREADS, device: "cpu" });
    const source = {
      records: randomRecords(),
      classOfLabel: [0, 1, 2],
      batchSize: BATCH,
      seed: "bench",
      stainJitter: 0,
    };
    const { batch, stop } = openBatchFeed(source, STEPS);
    const makeBatch = createBatches({ ...source, stainJitter: STAIN_JITTER });
    const makeBatches = async (): Promise<void> => {
      for (let step = 0; step < STEPS; step++) makeBatch(step);
    };
    const graph = await openGraph(runtime, runtime.channelBlock);
    const portable = await openGraph(runtime, 0);
    const forward = await runtime.session(seededModel(1, 1, 1).onnx);
    const data = new Uint8Array(BATCH * PATCH_BYTES);
    const passForward = async (): Promise<void> => {
      for (let step = 0; step < STEPS; step++)
        await forward.run({ patches: { type: "uint8", dims: [BATCH, 3, 32, 32], data } });
    };
    const checkpoint = { state: undefined, save: async () => undefined };
    const context = { name: "bench", runtime, checkpoint, batch, signal: new AbortController().signal };
    const silent = { accuracyOf: async () => 0, report: async () => undefined };
    /** As the trainer measures itself: without opening its session, which a run does once. */
    const train = async (): Promise<Timing> => {
      const { stepsPerSecond } = await trainNetwork({ ...context, ...silent }, SETTINGS);
      return { amount: STEPS, seconds: STEPS / stepsPerSecond };
    };
    const { layers, inputScale } = DEFAULT_NETWORK;
    const settings = { network: layers, batch: BATCH, scale: inputScale };
    const pytorch = peers ? await startPytorch("train_peer.py", THREADS, settings) : [];
    return {
      round: async () => {
        const timings: Record<string, Timing> = {
          trainer: await train(),
          graph: await timed(STEPS, graph),
          "portable graph": await timed(STEPS, portable),
          "forward passes": await timed(STEPS, passForward),
          batches: await timed(STEPS, makeBatches),
        };
        for (const peer of pytorch) {
          timings[`PyTorch, ${peer.kind}`] = await byPytorch(peer, false);
          timings[`PyTorch's graph, ${peer.kind}`] = await byPytorch(peer, true);
        }
        return timings;
      },
      close: async () => {
        for (const peer of pytorch) peer.close();
        await stop();
        await runtime.close();
      },
    };
  },
};
