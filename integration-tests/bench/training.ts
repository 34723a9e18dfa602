/** @file Training steps as the worker takes them, against the forward pass of the same batch alone. */

import { PATCH_BYTES } from "../../services/lib/method/patches.ts";
import { createRandom } from "../../services/lib/method/random.ts";
import { DEFAULT_NETWORK } from "../../services/lib/network/network-description.ts";
import { RECORD_BYTES } from "../../services/lib/patches/records.ts";
import { openRuntime } from "../../services/lib/runtime/runtime.ts";
import { openBatchFeed } from "../../services/training/batch-feed.ts";
import { trainNetwork } from "../../services/training/training-run.ts";
import { seededModel } from "../seeded-models.ts";
import { type Benchmark, timed } from "./measure.ts";

const BATCH = 128;
const STEPS = 10;
const PATCHES = 1024;

/** Records of random pixels: how long a step takes does not depend on them. */
function randomRecords(): Uint8Array {
  const random = createRandom("bench records");
  const records = Uint8Array.from({ length: PATCHES * RECORD_BYTES }, () => Math.floor(random.next() * 256));
  for (let i = 0; i < PATCHES; i++) records[i * RECORD_BYTES] = i % 3;
  return records;
}

export const training: Benchmark = {
  name: "training",
  unit: "step",
  ratios: [{ name: "a step takes / its forward pass", of: "steps", to: "forward passes", by: "seconds" }],
  open: async () => {
    const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
    const source = {
      records: randomRecords(),
      classOfLabel: [0, 1, 2],
      batchSize: BATCH,
      seed: "bench",
      stainJitter: 0,
    };
    const { batch, stop } = openBatchFeed(source, STEPS);
    const forward = await runtime.session(seededModel(1, 1, 1, DEFAULT_NETWORK).onnx);
    const settings = {
      network: DEFAULT_NETWORK,
      iterations: STEPS,
      batchSize: BATCH,
      learningRate: 0.003,
      rateSchedule: "constant" as const,
      optimizer: "adagrad" as const,
      initialAccumulator: 0.1,
      weightDecay: 0.004,
      averagedSteps: 0,
      seed: 1,
      classWeights: Float32Array.of(1, 1, 1),
      channelMeans: Float32Array.of(190, 150, 190),
    };
    const checkpoint = { state: undefined, save: async () => undefined, remove: async () => undefined };
    const signal = new AbortController().signal;
    const rest = { accuracyOf: async () => 0, report: async () => undefined };
    const train = () => trainNetwork({ runtime, checkpoint, batch, signal, ...rest }, settings);
    const passForward = async (): Promise<void> => {
      for (let step = 0; step < STEPS; step++) {
        const data = (await batch(step)).patches.subarray(0, BATCH * PATCH_BYTES);
        await forward.run({ patches: { type: "uint8", dims: [BATCH, 3, 32, 32], data } });
      }
    };
    return {
      round: async () => ({ steps: await timed(STEPS, train), "forward passes": await timed(STEPS, passForward) }),
      close: async () => {
        await stop();
        await runtime.close();
      },
    };
  },
};
