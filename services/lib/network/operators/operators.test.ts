import assert from "node:assert/strict";
import { test } from "node:test";
import { Graph } from "../graph.ts";
import type { Layer, ReluLayer, Shape } from "../layers.ts";
import { centralDifference, referenceLayer } from "../reference.fixture.ts";
import { float32, greatestDifference, signedNoise, startRunner } from "../test-data.fixture.ts";
import type { Operator, TrainingStep } from "./operator.ts";
import { relu } from "./relu.ts";
import { operatorOf } from "./table.ts";

const BATCH = 2;
const CASES: readonly { readonly name: string; readonly layer: Layer; readonly input: Shape }[] = [
  { name: "convolution", layer: { type: "conv", kernelPx: 3, channels: 4 }, input: { channels: 3, sidePx: 7 } },
  { name: "1x1 convolution", layer: { type: "conv", kernelPx: 1, channels: 2 }, input: { channels: 3, sidePx: 4 } },
  {
    name: "covering convolution",
    layer: { type: "conv", kernelPx: 4, channels: 5 },
    input: { channels: 3, sidePx: 4 },
  },
  { name: "ReLU", layer: { type: "relu" }, input: { channels: 3, sidePx: 5 } },
  { name: "max pool of 2", layer: { type: "maxPool", sizePx: 2 }, input: { channels: 3, sidePx: 6 } },
  { name: "max pool of 3", layer: { type: "maxPool", sizePx: 3 }, input: { channels: 2, sidePx: 9 } },
];

const sizeOf = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
const dimsOf = ({ channels, sidePx }: Shape) => [BATCH, channels, sidePx, sidePx];

/** A graph of one layer: x, dy and parameters in; y (by both forward passes) and all gradients out. */
function layerGraph(layer: Layer, input: Shape) {
  const operator = operatorOf(layer);
  const output = operator.outputShape(layer, input);
  assert.ok("channels" in output);
  const graph = new Graph();
  const x = graph.input("x", "float32", dimsOf(input));
  const dy = graph.input("dy", "float32", dimsOf(output));
  const shapes = operator.parameters(layer, input).map(({ shape }) => shape);
  const parameters = shapes.map((shape, i) => graph.input(`p${i}`, "float32", shape));
  const step = operator.train(graph, layer, { value: x, shape: input }, parameters);
  graph.output("y", step.output, "float32", dimsOf(output));
  graph.output("forward", operator.forward(graph, layer, x, parameters), "float32", dimsOf(output));
  graph.output("dx", step.inputGradient(dy), "float32", dimsOf(input));
  step.parameterGradients(dy).forEach((gradient, i) => {
    graph.output(`dp${i}`, gradient, "float32", shapes[i]!);
  });
  return { model: graph.model(), output, shapes };
}

for (const { name, layer, input } of CASES) {
  test(`computes and differentiates a ${name} by its definition`, async (t) => {
    const { model, output, shapes } = layerGraph(layer, input);
    const x = signedNoise(1, sizeOf(dimsOf(input)));
    const dy = signedNoise(2, sizeOf(dimsOf(output)));
    const parameters = shapes.map((shape, i) => signedNoise(3 + i, sizeOf(shape)));
    const run = await startRunner(t);
    const feeds = { x: float32(x, ...dimsOf(input)), dy: float32(dy, ...dimsOf(output)) };
    const parameterFeeds = parameters.map((data, i) => [`p${i}`, float32(data, ...shapes[i]!)]);
    const got = await run(model, { ...feeds, ...Object.fromEntries(parameterFeeds) });

    const exactX = Float64Array.from(x);
    const exactP = Float64Array.from(parameters.flatMap((array) => [...array]));
    const y = () => {
      const patches = Array.from({ length: BATCH }, (_, n) =>
        exactX.subarray((n * x.length) / BATCH, ((n + 1) * x.length) / BATCH),
      );
      return patches.flatMap((patch) => [...referenceLayer(layer, patch, input, exactP)]);
    };
    const scalar = () => y().reduce((sum, value, i) => sum + value * dy[i]!, 0);
    const differences = (at: Float64Array) => Float64Array.from(at, (_, i) => centralDifference(scalar, at, i));

    assert.ok(greatestDifference(got.y!, y()) < 1e-5);
    assert.ok(greatestDifference(got.forward!, y()) < 1e-5);
    assert.ok(greatestDifference(got.dx!, differences(exactX)) < 2e-5);
    const gradients = shapes.flatMap((_, i) => [...got[`dp${i}`]!]);
    assert.ok(greatestDifference(gradients, differences(exactP)) < 2e-5);
  });
}

test("gives a tied window's gradient to its first maximum, row by row", async (t) => {
  const input = { channels: 1, sidePx: 4 };
  const { model } = layerGraph({ type: "maxPool", sizePx: 2 }, input);
  const window = (a: number, b: number, c: number, d: number) => [a, b, c, d];
  const windows = [window(1, 1, 1, 1), window(0, 2, 2, 0), window(0, 0, 3, 3), window(-1, -2, -3, -1)];
  const expected = [window(5, 0, 0, 0), window(0, 6, 0, 0), window(0, 0, 7, 0), window(8, 0, 0, 0)];
  /** Four windows as a plane of 4 x 4. */
  const plane = (w: number[][]) =>
    [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3].map((of, i) => w[of]![(i % 2) + (i % 8 < 4 ? 0 : 2)]!);
  const run = await startRunner(t);
  const { dx } = await run(model, {
    x: float32(Float32Array.from([...plane(windows), ...plane(windows)]), BATCH, 1, 4, 4),
    dy: float32(Float32Array.of(5, 6, 7, 8, 5, 6, 7, 8), BATCH, 1, 2, 2),
  });
  assert.deepEqual([...dx!], [...plane(expected), ...plane(expected)]);
});

test("passes no gradient through a ReLU at 0", async (t) => {
  const run = await startRunner(t);
  const { model } = layerGraph({ type: "relu" }, { channels: 1, sidePx: 1 });
  const { dx } = await run(model, {
    x: float32(Float32Array.of(0, 1), BATCH, 1, 1, 1),
    dy: float32(Float32Array.of(3, 3), BATCH, 1, 1, 1),
  });
  assert.deepEqual([...dx!], [0, 3]);
});

test("an operator without a gradient does not compile", () => {
  const { train: _, ...untrained } = relu;
  // @ts-expect-error: `npm run check` fails if this compiles
  const operator: Operator<ReluLayer> = untrained;
  // @ts-expect-error: this too
  const step: TrainingStep = { output: "y", parameterGradients: () => [] };
  assert.deepEqual([operator.train, step.inputGradient], [undefined, undefined]);
});
