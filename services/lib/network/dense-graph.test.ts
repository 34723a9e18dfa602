import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { denseGraph } from "./dense-graph.ts";
import type { ModelContents } from "./model-contents.ts";
import type { NetworkDescription } from "./network-description.ts";
import { patchGraph } from "./patch-graph.ts";
import {
  greatestDifference,
  NETWORKS,
  startRunner,
  testBothNetworks,
  testContents,
  testEvaluatedNetworks,
  testParameters,
  testRegion,
} from "./test-data.fixture.ts";

/** The patches around every evaluated pixel, row by row. */
function patchesOf(pixels: Uint8Array, height: number, width: number): Uint8Array {
  const [h, w] = [height + 31, width + 31];
  const patches = new Uint8Array(height * width * 3072);
  let at = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let row = 0; row < 96; row++) {
        const from = (Math.floor(row / 32) * h + y + (row % 32)) * w + x;
        patches.set(pixels.subarray(from, from + 32), at);
        at += 32;
      }
    }
  }
  return patches;
}

async function evaluate(t: TestContext, network: NetworkDescription, height: number, width: number, members = 1) {
  const run = await startRunner(t);
  const pixels = testRegion(height, width);
  const contents = testContents(network, members);
  const [dense, perPatch] = await Promise.all([
    run(denseGraph(contents), {
      region: { type: "uint8", dims: [1, 3, height + 31, width + 31], data: pixels },
    }),
    run(patchGraph(contents), {
      patches: { type: "uint8", dims: [height * width, 3, 32, 32], data: patchesOf(pixels, height, width) },
    }),
  ]);
  return { dense: dense.probabilities!, perPatch: perPatch.probabilities! };
}

for (const [height, width] of [
  [1, 1],
  [1, 6],
  [17, 23],
  [32, 9],
] as const) {
  testEvaluatedNetworks(`gives each pixel of ${height} x ${width} what its own patch gives`, async (t, evaluated) => {
    const { dense, perPatch } = await evaluate(t, evaluated.network, height, width, evaluated.members);
    const pixels = height * width;
    assert.equal(dense.length, 3 * pixels);
    for (let i = 0; i < pixels; i++) {
      for (let c = 0; c < 3; c++) {
        const difference = Math.abs(dense[c * pixels + i]! - perPatch[3 * i + c]!);
        assert.ok(difference <= 1e-6, `class ${c} of pixel ${i} differs by ${difference}`);
      }
    }
    assert.ok(pixels === 1 || new Set(dense).size > pixels, "different pixels should differ");
  });
}

testBothNetworks("gives probabilities that sum to 1 at every pixel", async (t, network) => {
  const { dense } = await evaluate(t, network, 8, 11);
  for (let i = 0; i < 88; i++) assert.ok(Math.abs(dense[i]! + dense[88 + i]! + dense[176 + i]! - 1) < 1e-6);
});

testBothNetworks("gives the mean of what its members give", async (t, network) => {
  const run = await startRunner(t);
  const [height, width] = [6, 9];
  const region = { type: "uint8", dims: [1, 3, height + 31, width + 31], data: testRegion(height, width) } as const;
  const evaluate = async (contents: ModelContents) => (await run(denseGraph(contents), { region })).probabilities!;
  const contents = testContents(network, 3);
  const own = await Promise.all(contents.members.map((member) => evaluate({ ...contents, members: [member] })));
  const mean = Float64Array.from(own[0]!, (_, i) => own.reduce((sum, values) => sum + values[i]!, 0) / 3);
  assert.ok(greatestDifference(await evaluate(contents), mean) < 1e-6);
  for (const values of own) assert.ok(greatestDifference(values, mean) > 0.01, "members should differ");
});

test("refuses parameters of another network, and none", () => {
  const refused = { name: "DomainError", kind: "invalidArgument", reason: "PARAMETERS_INVALID" };
  const contents = testContents(NETWORKS.default);
  const others = [...contents.members, testParameters(NETWORKS.other)];
  assert.throws(() => denseGraph({ ...contents, members: others }), refused);
  assert.throws(() => denseGraph({ ...contents, members: [] }), refused);
});
