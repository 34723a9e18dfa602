/** @file Networks and reproducible data for this folder's tests; functions of an index, the same in pytorch-vectors.py. */
import { type TestContext, test } from "node:test";
import { openRuntime } from "../runtime/runtime.ts";
import { float32Data, type Tensor, type Tensors } from "../runtime/tensor.ts";
import type { ModelContents } from "./model-contents.ts";
import { DEFAULT_NETWORK, halved, type NetworkDescription, parseNetwork } from "./network-description.ts";
import { layoutSize, parameterLayout } from "./parameters.ts";

/** The default network with the scale that the stored values of PyTorch were computed with. */
const SCALED_NETWORK: NetworkDescription = { ...DEFAULT_NETWORK, inputScale: 1 / 255 };

/** A network of other widths, depth, kernels and pools than the default, with a pool before its ReLU. */
const OTHER_NETWORK = parseNetwork({
  ...SCALED_NETWORK,
  layers: [
    { type: "conv", kernelPx: 3, channels: 5 },
    { type: "relu" },
    { type: "maxPool", sizePx: 3 },
    { type: "conv", kernelPx: 3, channels: 7 },
    { type: "maxPool", sizePx: 2 },
    { type: "relu" },
    { type: "conv", kernelPx: 3, channels: 6 },
    { type: "relu" },
    { type: "conv", kernelPx: 2, channels: 3 },
  ],
});

/** The networks that everything here is tested with. */
export const NETWORKS: { readonly [Name in "default" | "other"]: NetworkDescription } = {
  default: SCALED_NETWORK,
  other: OTHER_NETWORK,
};
/**
 * What images are evaluated with: also half of the default network, which levels above 1 have in the product. `fitsBlocks`: its widths are
 * whole blocks of any CPU's, so that sparse evaluation is exact; the other network's are not, by design, and it is evaluated as rows.
 */
const EVALUATED_NETWORKS = [
  { name: "default", network: NETWORKS.default, members: 1, fitsBlocks: true },
  { name: "half", network: halved(NETWORKS.default), members: 1, fitsBlocks: true },
  { name: "three of half", network: halved(NETWORKS.default), members: 3, fitsBlocks: true },
  { name: "other", network: NETWORKS.other, members: 1, fitsBlocks: false },
  { name: "two of other", network: NETWORKS.other, members: 2, fitsBlocks: false },
] as const;
/** What the stored values of PyTorch were computed with. */
export const CHANNEL_MEANS = Float32Array.of(180.5, 120.25, 160.75);
export const CLASS_WEIGHTS = Float32Array.of(0.5, 1, 2.5);

/** Returns the `index`-th number in [0, 1) of stream `seed`: 32 bits of a multiply-xor hash. */
export function uniform(seed: number, index: number): number {
  let h = (Math.imul(index + 1, 0x9e3779b1) + Math.imul(seed, 0x85ebca6b)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d) >>> 0;
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b) >>> 0;
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Returns `length` values in [-1, 1) of stream `seed`. */
export const signedNoise = (seed: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 2 * uniform(seed, i) - 1);

/** Returns a model of a network; its first member has `testParameters`, the others each their own. */
export const testContents = (network: NetworkDescription, members = 1): ModelContents => ({
  network,
  members: Array.from({ length: members }, (_, member) => testParameters(network, 1 + 100 * member)),
  channelMeans: CHANNEL_MEANS,
});

/** Returns parameters with biases other than 0, which a first step of training would have. */
export function testParameters(network: NetworkDescription, seed = 1): Float32Array {
  const layout = parameterLayout(network);
  const parameters = new Float32Array(layoutSize(layout));
  for (const { kind, shape, offset, size } of layout) {
    const bound = kind === "weight" ? Math.sqrt(6 / (size / shape[0]!)) : 0.1;
    for (let i = offset; i < offset + size; i++) parameters[i] = (2 * uniform(seed, i) - 1) * bound;
  }
  return parameters;
}

/** Returns `count` patches, planar: noise, or one flat colour with a darker square in every other patch (many ties). */
export function testPatches(kind: "noise" | "flat", count: number): Uint8Array {
  if (kind === "noise") return Uint8Array.from({ length: count * 3072 }, (_, i) => 256 * uniform(2, i));
  return Uint8Array.from({ length: count * 3072 }, (_, i) => {
    const [patch, channel, y, x] = [Math.floor(i / 3072), Math.floor(i / 1024) % 3, Math.floor(i / 32) % 32, i % 32];
    const isSquare = patch % 2 === 1 && y >= 6 + patch && y < 18 + patch && x >= 9 && x < 21;
    return isSquare ? 60 + 10 * channel : 200 - 20 * channel;
  });
}

/** Returns a region, planar, of smooth shapes and noise, for `height` x `width` evaluated pixels. */
export function testRegion(height: number, width: number): Uint8Array {
  const [h, w] = [height + 31, width + 31];
  return Uint8Array.from({ length: 3 * h * w }, (_, i) => {
    const [y, x] = [Math.floor(i / w) % h, i % w];
    return 110 + 60 * Math.sin(y / 5) * Math.cos(x / 7) + 80 * uniform(5, i);
  });
}

/** Returns labels 0, 1, 2, 0, … */
export const testLabels = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i % 3);

/** Returns a tensor around float32 data; no dims make a scalar. */
export const float32 = (data: Float32Array | number, ...dims: number[]): Tensor => ({
  type: "float32",
  dims,
  data: typeof data === "number" ? Float32Array.of(data) : data,
});

/** Returns a function that runs a model once on feeds and gives its outputs, all float32. */
export async function startRunner(t: TestContext, threadsPerWorker = 1) {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker, device: "cpu" });
  t.after(() => runtime.close());
  return async (model: Uint8Array, feeds: Tensors): Promise<Readonly<Record<string, Float32Array>>> => {
    const session = await runtime.session(model);
    const outputs = await session.run(feeds);
    await session.release();
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, float32Data(tensor)]));
  };
}

/** Defines one test for each network. */
export function testBothNetworks(
  behaviour: string,
  body: (t: TestContext, network: NetworkDescription, name: keyof typeof NETWORKS) => Promise<void>,
): void {
  for (const name of ["default", "other"] as const)
    test(`${behaviour} (${name} network)`, (t) => body(t, NETWORKS[name], name));
}

/** Defines one test for each network that images are evaluated with. */
export function testEvaluatedNetworks(
  behaviour: string,
  body: (t: TestContext, evaluated: (typeof EVALUATED_NETWORKS)[number]) => Promise<void> | void,
): void {
  for (const evaluated of EVALUATED_NETWORKS)
    test(`${behaviour} (${evaluated.name} network)`, (t) => body(t, evaluated));
}

/** Returns the greatest absolute difference of two arrays of one length. */
export function greatestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`Cannot compare ${a.length} values with ${b.length}`);
  let greatest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(difference)) return difference; // so that it fails every bound
    if (difference > greatest) greatest = difference;
  }
  return greatest;
}
