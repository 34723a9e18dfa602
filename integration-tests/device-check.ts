/**
 * @file Says whether training and evaluation run on a device and come to the CPU's numbers there: `npm run device -- cuda|webgpu`, on a
 * machine with a GPU or in software (deploy/local/lavapipe). Exits with 1 if they do not. Nothing may run on the CPU instead: a runtime of a
 * named device refuses graphs with such a node, and that it does is looked at first.
 */
import { DomainError, invalid } from "../services/lib/errors.ts";
import { denseGraph } from "../services/lib/network/dense-graph.ts";
import type { NetworkDescription } from "../services/lib/network/network-description.ts";
import { OPTIMIZERS, type OptimizerName } from "../services/lib/network/optimizers.ts";
import { patchGraph } from "../services/lib/network/patch-graph.ts";
import {
  CHANNEL_MEANS,
  CLASS_WEIGHTS,
  float32,
  greatestDifference,
  NETWORKS,
  testContents,
  testLabels,
  testParameters,
  testPatches,
} from "../services/lib/network/test-data.fixture.ts";
import { trainingGraph } from "../services/lib/network/training-graph.ts";
import { ModelProto, TensorProto_DataType } from "../services/lib/proto/third_party/onnx/onnx.ts";
import { openRuntime, type Runtime } from "../services/lib/runtime/runtime.ts";
import { float32Data, type Tensors } from "../services/lib/runtime/tensor.ts";

const BATCH = 8;
const STEPS = 3;
/** Times the greatest value of what is compared, or 1 where that is less. */
const TRAINING_TOLERANCE = 2e-6;
/** METHOD.md 4, on a GPU. */
const PROBABILITY_TOLERANCE = 1e-4;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function compare(what: string, found: Float32Array, right: Float32Array, tolerance: number): void {
  const difference = greatestDifference(found, right);
  const scale = right.reduce((greatest, value) => Math.max(greatest, Math.abs(value)), 1);
  const isNear = difference <= tolerance * scale;
  if (!isNear) process.exitCode = 1;
  print(`${isNear ? "ok  " : "FAIL"} ${what}: within ${difference.toExponential(1)} of the CPU`);
}

/** A model of one operator that ONNX Runtime has for the CPU and for no GPU. */
function modelForCpuOnly(): Uint8Array {
  const square = { dim: [2, 2].map((size) => ({ value: { $case: "dimValue" as const, value: BigInt(size) } })) };
  const type = (shape: { dim: typeof square.dim }) => ({
    value: { $case: "tensorType" as const, value: { elemType: TensorProto_DataType.FLOAT, shape } },
  });
  const model = ModelProto.fromPartial({
    irVersion: 10n,
    opsetImport: [{ domain: "", version: 21n }],
    graph: {
      name: "determinant",
      node: [{ opType: "Det", input: ["x"], output: ["y"] }],
      input: [{ name: "x", type: type(square) }],
      output: [{ name: "y", type: type({ dim: [] }) }],
    },
  });
  return ModelProto.encode(model).finish();
}

async function checkNothingFallsBack(cpu: Runtime, gpu: Runtime): Promise<void> {
  await (await cpu.session(modelForCpuOnly())).release();
  const refusal = await gpu.session(modelForCpuOnly()).then(
    () => "",
    (error: unknown) => String(error),
  );
  const isRefused = refusal.includes("fallback to CPU EP has been explicitly disabled");
  if (!isRefused) process.exitCode = 1;
  print(
    `${isRefused ? "ok  " : "FAIL"} what the device lacks is refused, not run on the CPU ${isRefused ? "" : refusal}`,
  );
}

/** Returns what a few steps give, one after the other: losses, gradients and in the end the weights. */
async function train(runtime: Runtime, network: NetworkDescription, optimizer: OptimizerName) {
  const { accumulatorsPerParameter, rateAt } = OPTIMIZERS[optimizer];
  const model = trainingGraph(network, { optimizer, batchSize: BATCH, weightDecay: 0.001, gradients: true });
  const session = await runtime.session(model, { pinned: true });
  let parameters = testParameters(network);
  const size = parameters.length;
  let accumulators = new Float32Array(size * accumulatorsPerParameter).fill(0.1);
  const losses = new Float32Array(STEPS);
  const gradients: Float32Array[] = [];
  for (let step = 0; step < STEPS; step++) {
    const outputs = await session.run({
      patches: { type: "uint8", dims: [BATCH, 3, 32, 32], data: testPatches(step % 2 === 0 ? "noise" : "flat", BATCH) },
      labels: { type: "int32", dims: [BATCH], data: testLabels(BATCH) },
      classWeights: float32(CLASS_WEIGHTS, 3),
      learningRate: float32(rateAt(0.003, step + 1)),
      channelMeans: float32(CHANNEL_MEANS, 3),
      parameters: float32(parameters, size),
      accumulators: float32(accumulators, accumulators.length),
    });
    losses[step] = float32Data(outputs.loss)[0] ?? Number.NaN;
    gradients.push(float32Data(outputs.gradient));
    parameters = float32Data(outputs.parametersOut).slice();
    accumulators = float32Data(outputs.accumulatorsOut).slice();
  }
  await session.release();
  return { losses, gradients, parameters };
}

async function evaluate(runtime: Runtime, model: Uint8Array, feeds: Tensors): Promise<Float32Array> {
  const session = await runtime.session(model);
  const { probabilities } = await session.run(feeds);
  await session.release();
  return float32Data(probabilities);
}

async function checkNetwork(name: string, network: NetworkDescription, cpu: Runtime, gpu: Runtime): Promise<void> {
  for (const optimizer of Object.keys(OPTIMIZERS) as OptimizerName[]) {
    const [right, found] = [await train(cpu, network, optimizer), await train(gpu, network, optimizer)];
    const title = `${name} network, ${optimizer}`;
    compare(`${title}: losses of ${STEPS} steps`, found.losses, right.losses, TRAINING_TOLERANCE);
    right.gradients.forEach((gradient, step) => {
      compare(`${title}: gradient of step ${step + 1}`, found.gradients[step]!, gradient, TRAINING_TOLERANCE);
    });
    compare(`${title}: weights`, found.parameters, right.parameters, TRAINING_TOLERANCE);
  }

  const patches = testPatches("noise", BATCH);
  const [height, width] = [71, 68];
  const region = testPatches("noise", 5).slice(0, 3 * height * width);
  const cases: [string, Uint8Array, Tensors][] = [
    [
      "per patch",
      patchGraph(testContents(network, 2)),
      { patches: { type: "uint8", dims: [BATCH, 3, 32, 32], data: patches } },
    ],
    [
      "dense",
      denseGraph(testContents(network, 2)),
      { region: { type: "uint8", dims: [1, 3, height, width], data: region } },
    ],
  ];
  for (const [what, model, feeds] of cases) {
    const [onGpu, onCpu] = [await evaluate(gpu, model, feeds), await evaluate(cpu, model, feeds)];
    compare(`${name} network: probabilities, ${what}`, onGpu, onCpu, PROBABILITY_TOLERANCE);
  }
}

async function checkDevice(device: "cuda" | "webgpu"): Promise<void> {
  const cpu = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  try {
    const gpu = await openRuntime({ workers: 1, threadsPerWorker: 1, device });
    try {
      print(`compute class ${gpu.computeClass}`);
      if (gpu.provider !== device) throw new Error(`Cannot check ${device}: it ran on ${gpu.computeClass}`);
      await checkNothingFallsBack(cpu, gpu);
      for (const [name, network] of Object.entries(NETWORKS)) await checkNetwork(name, network, cpu, gpu);
    } finally {
      await gpu.close();
    }
  } finally {
    await cpu.close();
  }
}

const [device] = process.argv.slice(2);
try {
  if (device !== "cuda" && device !== "webgpu")
    throw invalid("OPTIONS_INVALID", `Cannot check "${device ?? ""}": the devices are cuda and webgpu`);
  await checkDevice(device);
} catch (error) {
  if (!(error instanceof DomainError)) throw error;
  process.stderr.write(`device: ${error.message}\n`);
  process.exitCode = 1;
}
