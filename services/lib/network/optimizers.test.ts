import assert from "node:assert/strict";
import { test } from "node:test";
import { Graph } from "./graph.ts";
import { OPTIMIZERS, type OptimizerName } from "./optimizers.ts";
import { float32, greatestDifference, signedNoise, startRunner } from "./test-data.fixture.ts";

const SIZE = 100;
const STEPS = 6;
const RATE = 0.01;

/** Returns the ONNX model of the optimizer's step alone. */
function stepModel(name: OptimizerName): Uint8Array {
  const graph = new Graph();
  const optimizer = OPTIMIZERS[name];
  const kept = SIZE * optimizer.accumulatorsPerParameter;
  const inputs = {
    parameters: graph.input("parameters", "float32", [SIZE]),
    gradient: graph.input("gradient", "float32", [SIZE]),
    accumulators: graph.input("accumulators", "float32", [kept]),
    learningRate: graph.input("learningRate", "float32", []),
  };
  const next = optimizer.write(graph, inputs, SIZE);
  graph.output("parametersOut", next.parameters, "float32", [SIZE]);
  graph.output("accumulatorsOut", next.accumulators, "float32", [kept]);
  return graph.model();
}

/** The rules as their papers write them, in double precision; gradients from 1e-6 to 1, as training has them. */
const gradientAt = (step: number): Float32Array => signedNoise(step, SIZE).map((v, i) => v * 10 ** (-6 * (i / SIZE)));
const RULES: Record<OptimizerName, (parameters: Float64Array) => (step: number) => void> = {
  adagrad: (parameters) => {
    const squares = new Float64Array(SIZE).fill(0.1);
    return (step) =>
      gradientAt(step).forEach((g, i) => {
        squares[i]! += g * g;
        parameters[i]! -= (RATE * g) / (Math.sqrt(squares[i]!) + 1e-10);
      });
  },
  adam: (parameters) => {
    const mean = new Float64Array(SIZE);
    const square = new Float64Array(SIZE);
    return (step) =>
      gradientAt(step).forEach((g, i) => {
        mean[i] = 0.9 * mean[i]! + 0.1 * g;
        square[i] = 0.999 * square[i]! + 0.001 * g * g;
        const [m, v] = [mean[i]! / (1 - 0.9 ** step), square[i]! / (1 - 0.999 ** step)];
        // epsilon beside the uncorrected root, as the paper's faster form has it
        parameters[i]! -= (RATE * m) / (Math.sqrt(v) + 1e-8 / Math.sqrt(1 - 0.999 ** step));
      });
  },
};

for (const name of Object.keys(OPTIMIZERS) as OptimizerName[]) {
  test(`${name} moves parameters by its paper's rule`, async (t) => {
    const run = await startRunner(t);
    const model = stepModel(name);
    const { accumulatorsPerParameter, rateAt } = OPTIMIZERS[name];
    let parameters = signedNoise(99, SIZE);
    let accumulators = new Float32Array(SIZE * accumulatorsPerParameter).fill(name === "adagrad" ? 0.1 : 0);
    const expected = Float64Array.from(parameters);
    const follow = RULES[name](expected);
    for (let step = 1; step <= STEPS; step++) {
      const outputs = await run(model, {
        parameters: float32(parameters, SIZE),
        gradient: float32(gradientAt(step), SIZE),
        accumulators: float32(accumulators, accumulators.length),
        learningRate: float32(rateAt(RATE, step)),
      });
      parameters = new Float32Array(outputs.parametersOut!);
      accumulators = new Float32Array(outputs.accumulatorsOut!);
      follow(step);
      assert.ok(greatestDifference(parameters, expected) < 2e-6, `step ${step}`);
    }
  });
}
