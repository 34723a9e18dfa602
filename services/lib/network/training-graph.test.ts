import assert from "node:assert/strict";
import { test } from "node:test";
import { poolsFirst } from "./forward-steps.ts";
import type { NetworkDescription } from "./network-description.ts";
import { layoutSize, parameterLayout } from "./parameters.ts";
import { PYTORCH_VECTORS } from "./pytorch-vectors.fixture.ts";
import { centralDifference, referenceLoss } from "./reference.fixture.ts";
import {
  CHANNEL_MEANS,
  CLASS_WEIGHTS,
  float32,
  greatestDifference,
  NETWORKS,
  startRunner,
  testBothNetworks,
  testLabels,
  testParameters,
  testPatches,
  uniform,
} from "./test-data.fixture.ts";
import { trainingGraph } from "./training-graph.ts";

/** The graph's inputs but for parameters and accumulators. */
const batchFeeds = (patches: Uint8Array, learningRate = 0.003) => {
  const count = patches.length / 3072;
  return {
    patches: { type: "uint8" as const, dims: [count, 3, 32, 32], data: patches },
    labels: { type: "int32" as const, dims: [count], data: testLabels(count) },
    classWeights: float32(CLASS_WEIGHTS, 3),
    learningRate: float32(learningRate),
    channelMeans: float32(CHANNEL_MEANS, 3),
  };
};
const stateFeeds = (parameters: Float32Array, accumulators: Float32Array = new Float32Array(parameters.length)) => ({
  parameters: float32(parameters, parameters.length),
  accumulators: float32(accumulators, accumulators.length),
});
const isWeight = (network: NetworkDescription) =>
  parameterLayout(network).flatMap(({ kind, size }) => Array(size).fill(kind === "weight"));

for (const vector of PYTORCH_VECTORS) {
  const { network: name, patches: kind } = vector;
  test(`gives PyTorch's loss and gradients on ${kind} patches (${name} network)`, async (t) => {
    const network = NETWORKS[name];
    const run = await startRunner(t);
    const model = trainingGraph(network, { optimizer: "adagrad", batchSize: 6, weightDecay: 0, gradients: true });
    const feeds = { ...batchFeeds(testPatches(kind, 6)), ...stateFeeds(testParameters(network)) };
    const { loss, gradient } = await run(model, feeds);

    assert.ok(Math.abs(loss![0]! - vector.loss) < 2e-6);
    for (const [i, { offset, size }] of parameterLayout(network).entries()) {
      const norm = Math.sqrt(gradient!.subarray(offset, offset + size).reduce((sum, g) => sum + g * g, 0));
      assert.ok(Math.abs(norm - vector.norms[i]!) < 1e-5 * Math.max(1, vector.norms[i]!), `norm of array ${i}`);
    }
    const sampled = vector.gradient.map(([index]) => gradient![index]!);
    assert.ok(
      greatestDifference(
        sampled,
        vector.gradient.map(([, value]) => value),
      ) < 2e-6,
    );
  });

  test(`takes PyTorch's AdaGrad steps on ${kind} patches (${name} network)`, async (t) => {
    const network = NETWORKS[name];
    const run = await startRunner(t);
    const model = trainingGraph(network, { optimizer: "adagrad", batchSize: 6, weightDecay: 0.004 });
    let state = stateFeeds(testParameters(network), new Float32Array(layoutSize(parameterLayout(network))).fill(0.1));
    const losses: number[] = [];
    for (const _ of vector.losses) {
      const { loss, parametersOut, accumulatorsOut } = await run(model, {
        ...batchFeeds(testPatches(kind, 6)),
        ...state,
      });
      state = stateFeeds(parametersOut!, accumulatorsOut);
      losses.push(loss![0]!);
    }
    assert.ok(greatestDifference(losses, vector.losses) < 5e-6);
    const trained = vector.trained.map(([index]) => (state.parameters.data as Float32Array)[index]!);
    assert.ok(
      greatestDifference(
        trained,
        vector.trained.map(([, value]) => value),
      ) < 5e-6,
    );
  });
}

testBothNetworks("gives the gradient that central differences of the loss give", async (t, network) => {
  const run = await startRunner(t);
  const patches = testPatches("noise", 2);
  const parameters = testParameters(network);
  const model = trainingGraph(network, { optimizer: "adagrad", batchSize: 2, weightDecay: 0, gradients: true });
  const { loss, gradient } = await run(model, { ...batchFeeds(patches), ...stateFeeds(parameters) });

  const exact = Float64Array.from(parameters);
  const batch = { patches, labels: testLabels(2), classWeights: CLASS_WEIGHTS, channelMeans: CHANNEL_MEANS };
  const exactLoss = () => referenceLoss(network, exact, batch);
  assert.ok(Math.abs(loss![0]! - exactLoss()) < 2e-6);
  for (const { name, offset, size } of parameterLayout(network)) {
    const index = offset + Math.floor(uniform(9, offset) * size);
    const difference = centralDifference(exactLoss, exact, index);
    assert.ok(
      Math.abs(gradient![index]! - difference) < 5e-6 * Math.max(1, Math.abs(difference)),
      `${name}[${index - offset}]`,
    );
  }
});

testBothNetworks("adds weight decay to the weights' gradient and to nothing else", async (t, network) => {
  const run = await startRunner(t);
  const parameters = testParameters(network);
  const feeds = { ...batchFeeds(testPatches("noise", 3)), ...stateFeeds(parameters) };
  const [plain, decayed] = await Promise.all(
    [0, 0.25].map((weightDecay) =>
      run(trainingGraph(network, { optimizer: "adagrad", batchSize: 3, weightDecay, gradients: true }), feeds),
    ),
  );
  const weights = isWeight(network);
  const expected = plain!.gradient!.map((g, i) => (weights[i] ? g + 0.25 * parameters[i]! : g));
  assert.ok(greatestDifference(decayed!.gradient!, expected) < 1e-6);
  assert.equal(decayed!.loss![0], plain!.loss![0]);
});

testBothNetworks("moves parameters and accumulators by AdaGrad's rule", async (t, network) => {
  const run = await startRunner(t);
  const parameters = testParameters(network);
  const accumulators = parameters.map((_, i) => uniform(4, i));
  const model = trainingGraph(network, { optimizer: "adagrad", batchSize: 3, weightDecay: 0.004, gradients: true });
  const feeds = { ...batchFeeds(testPatches("noise", 3), 0.05), ...stateFeeds(parameters, accumulators) };
  const { gradient, parametersOut, accumulatorsOut } = await run(model, feeds);

  const grown = accumulators.map((a, i) => a + gradient![i]! ** 2);
  const moved = parameters.map((p, i) => p - (0.05 * gradient![i]!) / (Math.sqrt(grown[i]!) + 1e-10));
  assert.ok(greatestDifference(accumulatorsOut!, grown) < 1e-6);
  assert.ok(greatestDifference(parametersOut!, moved) < 1e-6);
});

testBothNetworks("takes the same step, bit for bit, on one thread and on two", async (t, network) => {
  const model = trainingGraph(network, { optimizer: "adagrad", batchSize: 6, weightDecay: 0.004 });
  const feeds = { ...batchFeeds(testPatches("noise", 6)), ...stateFeeds(testParameters(network)) };
  const [one, two] = await Promise.all([1, 2].map(async (threads) => (await startRunner(t, threads))(model, feeds)));
  assert.deepEqual(one, two);
});

test("refuses a batch of nothing and a negative decay", () => {
  const refused = { name: "DomainError", reason: "TRAINING_OPTIONS_INVALID" };
  assert.throws(() => trainingGraph(NETWORKS.other, { optimizer: "adam", batchSize: 0, weightDecay: 0 }), refused);
  assert.throws(() => trainingGraph(NETWORKS.other, { optimizer: "adam", batchSize: 1, weightDecay: -1 }), refused);
});

test("moves ReLUs behind the pool that follows them, and nothing else", () => {
  const order = poolsFirst(NETWORKS.default.layers).map(({ type }) => type);
  const block = ["conv", "maxPool", "relu"];
  assert.deepEqual(order, [...block, ...block, "conv", "relu", "conv", "relu", "conv"]);
});
