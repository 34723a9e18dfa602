import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_NETWORK } from "./network-description.ts";
import { initialParameters, layoutSize, parameterLayout } from "./parameters.ts";
import { testBothNetworks } from "./test-data.fixture.ts";

test("lays out the default network's 83,683 parameters by layer, weight before bias", () => {
  const layout = parameterLayout(DEFAULT_NETWORK);
  assert.equal(layoutSize(layout), 83_683);
  assert.deepEqual(layout.slice(0, 3), [
    { name: "conv1.weight", kind: "weight", shape: [32, 3, 5, 5], offset: 0, size: 2400 },
    { name: "conv1.bias", kind: "bias", shape: [32], offset: 2400, size: 32 },
    { name: "conv2.weight", kind: "weight", shape: [32, 32, 5, 5], offset: 2432, size: 25_600 },
  ]);
});

testBothNetworks("starts from biases of 0 and weights of variance 2 / fan-in", async (_t, network) => {
  const parameters = initialParameters(network, 7);
  for (const { name, kind, shape, offset, size } of parameterLayout(network)) {
    const values = parameters.subarray(offset, offset + size);
    if (kind === "bias") assert.ok(values.every((value) => value === 0));
    else {
      const variance = values.reduce((sum, value) => sum + value ** 2, 0) / size;
      const expected = 2 / (size / shape[0]!);
      // the variance of n normal values scatters by sqrt(2 / n); five times that never happens
      assert.ok(
        Math.abs(variance / expected - 1) < 5 * Math.sqrt(2 / size),
        `${name}: ${variance} against ${expected}`,
      );
    }
  }
});

testBothNetworks("draws the same parameters for the same seed and others for another", async (_t, network) => {
  assert.deepEqual(initialParameters(network, 1), initialParameters(network, 1));
  assert.notDeepEqual(initialParameters(network, 1), initialParameters(network, 2));
});
