/** @file Variant C of the training graph against variant A and against the definition. On a CPU without blocked operators both are A. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { checkBlocksFound } from "../../runtime/channel-block.fixture.ts";
import { openRuntime } from "../../runtime/runtime.ts";
import type { Session } from "../../runtime/session.ts";
import { float32Data } from "../../runtime/tensor.ts";
import { DEFAULT_NETWORK, type NetworkDescription, parseNetwork } from "../network-description.ts";
import { initialParameters, layoutSize, parameterLayout } from "../parameters.ts";
import { centralDifference, referenceLoss } from "../reference.fixture.ts";
import {
  CHANNEL_MEANS,
  CLASS_WEIGHTS,
  float32,
  greatestDifference,
  testLabels,
  testPatches,
  uniform,
} from "../test-data.fixture.ts";
import { trainingGraph } from "../training-graph.ts";

/** A whole number of blocks of either size, so that every stage that can be is written in blocks. */
const BATCH = 16;
const RATE = 0.0005;

/** Convolutions one after the other, pools with and without a rectifier behind, a first layer without pool, and widths that fit no block. */
const DEEP = parseNetwork({
  ...DEFAULT_NETWORK,
  layers: [
    { type: "conv", kernelPx: 3, channels: 16 },
    { type: "relu" },
    { type: "conv", kernelPx: 3, channels: 16 },
    { type: "maxPool", sizePx: 4 },
    { type: "conv", kernelPx: 2, channels: 32 },
    { type: "relu" },
    { type: "maxPool", sizePx: 3 },
    { type: "relu" },
    { type: "conv", kernelPx: 1, channels: 20 },
    { type: "relu" },
    { type: "conv", kernelPx: 2, channels: 3 },
  ],
});
/** More channels than the first convolution has taps, one pool after another, and a last convolution of several pixels. */
const WIDE = parseNetwork({
  ...DEFAULT_NETWORK,
  layers: [
    { type: "conv", kernelPx: 3, channels: 64 },
    { type: "relu" },
    { type: "maxPool", sizePx: 2 },
    { type: "maxPool", sizePx: 5 },
    { type: "conv", kernelPx: 3, channels: 3 },
  ],
});
const NETWORKS: Readonly<Record<string, NetworkDescription>> = { default: DEFAULT_NETWORK, deep: DEEP, wide: WIDE };

const batchFeeds = (patches: Uint8Array, batchSize: number) => ({
  patches: { type: "uint8" as const, dims: [batchSize, 3, 32, 32], data: patches },
  labels: { type: "int32" as const, dims: [batchSize], data: testLabels(batchSize) },
  classWeights: float32(CLASS_WEIGHTS, 3),
  channelMeans: float32(CHANNEL_MEANS, 3),
});

const graphOf = (network: NetworkDescription, channelBlock: number, batchSize = BATCH): Uint8Array =>
  trainingGraph(network, {
    batchSize,
    weightDecay: 0.0002,
    optimizer: "adagrad",
    channelBlock,
    gradients: true,
  });

async function startTrainer(t: TestContext, threadsPerWorker = 1) {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker, device: "cpu" });
  t.after(() => runtime.close());
  checkBlocksFound(runtime);
  const open = (network: NetworkDescription, variant: "A" | "C", batchSize = BATCH): Promise<Session> =>
    runtime.session(graphOf(network, variant === "C" ? runtime.channelBlock : 0, batchSize));
  /** Returns loss and gradient at the start. */
  const gradientOf = async (network: NetworkDescription, variant: "A" | "C", patches: Uint8Array) => {
    const [last] = await trainSteps(await open(network, variant), network, () => patches, 1);
    return last!;
  };
  return { open, gradientOf };
}

/** Takes steps from He's weights and returns what each gave. */
async function trainSteps(
  session: Session,
  network: NetworkDescription,
  patchesAt: (step: number) => Uint8Array,
  steps: number,
  batchSize = BATCH,
) {
  let parameters = initialParameters(network, 3);
  let accumulators = new Float32Array(parameters.length).fill(0.1);
  const results: { readonly loss: number; readonly gradient: Float32Array; readonly parameters: Float32Array }[] = [];
  for (let step = 1; step <= steps; step++) {
    const outputs = await session.run({
      ...batchFeeds(patchesAt(step), batchSize),
      learningRate: float32(RATE),
      parameters: float32(parameters, parameters.length),
      accumulators: float32(accumulators, accumulators.length),
    });
    parameters = float32Data(outputs.parametersOut).slice();
    accumulators = float32Data(outputs.accumulatorsOut).slice();
    results.push({ loss: float32Data(outputs.loss)[0]!, gradient: float32Data(outputs.gradient), parameters });
  }
  return results;
}

for (const [name, network] of Object.entries(NETWORKS)) {
  test(`is another graph than the portable one (${name} network)`, () => {
    for (const block of [8, 16]) assert.notDeepEqual(graphOf(network, block), graphOf(network, 0));
  });

  for (const kind of ["noise", "flat"] as const) {
    test(`gives the portable graph's loss and gradient on ${kind} patches (${name} network)`, async (t) => {
      const { gradientOf } = await startTrainer(t);
      const patches = testPatches(kind, BATCH);
      const [portable, blocked] = [await gradientOf(network, "A", patches), await gradientOf(network, "C", patches)];
      assert.ok(Math.abs(portable.loss - blocked.loss) < 2e-6 * Math.max(1, portable.loss));
      const greatest = portable.gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
      assert.ok(greatest > 0.01);
      assert.ok(greatestDifference(portable.gradient, blocked.gradient) < 2e-6 * Math.max(1, greatest));
    });
  }

  test(`gives the gradient that central differences give, at one parameter of each array (${name} network)`, async (t) => {
    const { gradientOf } = await startTrainer(t);
    const patches = testPatches("noise", BATCH);
    const parameters = Float64Array.from(initialParameters(network, 3));
    const { gradient } = await gradientOf(network, "C", patches);
    const batch = { patches, labels: testLabels(BATCH), classWeights: CLASS_WEIGHTS, channelMeans: CHANNEL_MEANS };
    for (const { name: array, kind, offset, size } of parameterLayout(network)) {
      const index = offset + Math.floor(uniform(5, offset) * size);
      const decay = kind === "weight" ? 0.0002 * parameters[index]! : 0;
      const expected = centralDifference(() => referenceLoss(network, parameters, batch), parameters, index) + decay;
      assert.ok(Math.abs(gradient[index]! - expected) < 1e-5 * Math.max(1, Math.abs(expected)), array);
    }
  });
}

for (const [name, network] of [
  ["default", DEFAULT_NETWORK],
  ["deep", DEEP],
] as const) {
  test(`goes the portable graph's way for 200 steps, flat areas included, but for float noise (${name} network)`, async (t) => {
    const { open } = await startTrainer(t);
    const kinds = [testPatches("noise", BATCH), testPatches("flat", BATCH)];
    const run = async (variant: "A" | "C") =>
      trainSteps(await open(network, variant), network, (step) => kinds[step % 2]!, 200);
    const [portable, blocked] = [await run("A"), await run("C")];
    const losses = (results: typeof portable) => results.map(({ loss }) => loss);
    assert.ok(losses(portable).at(-1)! < 0.5 * portable[0]!.loss);
    // A rounding decides which of two all but equal values a pool takes, and from there on the ways part a little (AVX-512: 4.4e-4 and 7.6e-5).
    assert.ok(greatestDifference(losses(portable), losses(blocked)) < 1e-3);
    assert.ok(greatestDifference(portable.at(-1)!.parameters, blocked.at(-1)!.parameters) < 5e-4);
  });
}

const SIZED: readonly (readonly [string, NetworkDescription, number])[] = [
  ...Object.entries(NETWORKS).map(([name, network]) => [name, network, BATCH] as const),
  // ONNX Runtime's threads share what is large, and some of its sums then depend on how many they are
  ["default", DEFAULT_NETWORK, 128],
  // fits no block: operators, and products where kernels cover their input
  ["default", DEFAULT_NETWORK, 20],
];
for (const [name, network, batchSize] of SIZED) {
  test(`takes the same steps, bit for bit, on one, two and three threads, and again (${name} network, ${batchSize} patches)`, async (t) => {
    const patches = testPatches("noise", batchSize);
    const run = async (threads: number) => {
      const { open } = await startTrainer(t, threads);
      return trainSteps(await open(network, "C", batchSize), network, () => patches, 2, batchSize);
    };
    const [first, ...others] = [await run(1), await run(1), await run(2), await run(3)];
    for (const other of others) assert.deepEqual(other.at(-1), first!.at(-1));
    assert.equal(first![0]!.gradient.length, layoutSize(parameterLayout(network)));
  });
}
