/** @file A convolution and what it gives, to find out whether a device computes and how exactly. */
import { ModelProto, TensorProto_DataType } from "../proto/third_party/onnx/onnx.ts";
import type { Tensor } from "./tensor.ts";

const CHANNELS = 32; // enough that a GPU takes its fast path, the one that may be inexact
const SIDE = 8;
const KERNEL = 3;
const OUT_SIDE = SIDE - KERNEL + 1;

/**
 * How far a device's values, which go up to 1.9, may be from the right ones. The CPU is 6e-7 away, any order or transform of float32 sums
 * somewhat more, TF32, which must be off (METHOD.md 4), 1.1e-4.
 */
export const PROBE_TOLERANCE = 2e-5;

/** Reproducible values in [-0.5, 0.5) that use all bits of a float32. */
const noise = (seed: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => ((Math.imul(i + seed, 0x9e3779b1) ^ 0x2545f491) >>> 0) / 2 ** 32 - 0.5);

const INPUT = noise(1, CHANNELS * SIDE * SIDE);
const WEIGHTS = noise(100_003, CHANNELS * CHANNELS * KERNEL * KERNEL).map((weight) => weight / 8);

/** Feed `x` float32 [1, 32, 8, 8]. */
export const PROBE_INPUT: Tensor = { type: "float32", dims: [1, CHANNELS, SIDE, SIDE], data: INPUT };

const float32 = (dims: readonly number[]) => ({
  value: {
    $case: "tensorType" as const,
    value: {
      elemType: TensorProto_DataType.FLOAT,
      shape: { dim: dims.map((size) => ({ value: { $case: "dimValue" as const, value: BigInt(size) } })) },
    },
  },
});

/** Returns the model y = conv(x), float32 [1, 32, 6, 6]. */
export function probeModel(): Uint8Array {
  const model = ModelProto.fromPartial({
    irVersion: 10n,
    opsetImport: [{ domain: "", version: 21n }],
    graph: {
      name: "probe",
      node: [{ opType: "Conv", input: ["x", "weights"], output: ["y"] }],
      initializer: [
        {
          name: "weights",
          dims: [CHANNELS, CHANNELS, KERNEL, KERNEL].map(BigInt),
          dataType: TensorProto_DataType.FLOAT,
          floatData: [...WEIGHTS],
        },
      ],
      input: [{ name: "x", type: float32([1, CHANNELS, SIDE, SIDE]) }],
      output: [{ name: "y", type: float32([1, CHANNELS, OUT_SIDE, OUT_SIDE]) }],
    },
  });
  return ModelProto.encode(model).finish();
}

/**
 * Returns what the model gives for `PROBE_INPUT`, summed in double precision; `rounded` says what becomes of its inputs and weights
 * first.
 */
export function probeOutput(rounded: (value: number) => number = (value) => value): Float32Array {
  const [input, weights] = [INPUT.map(rounded), WEIGHTS.map(rounded)];
  const output = new Float32Array(CHANNELS * OUT_SIDE * OUT_SIDE);
  for (let i = 0; i < output.length; i++) {
    const [out, y, x] = [Math.floor(i / OUT_SIDE ** 2), Math.floor(i / OUT_SIDE) % OUT_SIDE, i % OUT_SIDE];
    let sum = 0;
    for (let channel = 0; channel < CHANNELS; channel++) {
      for (let k = 0; k < KERNEL ** 2; k++) {
        const from = (channel * SIDE + y + Math.floor(k / KERNEL)) * SIDE + x + (k % KERNEL);
        sum += input[from]! * weights[(out * CHANNELS + channel) * KERNEL ** 2 + k]!;
      }
    }
    output[i] = sum;
  }
  return output;
}
