/** @file Small ONNX models for this folder's tests, built here because `lib/runtime` knows nothing of networks. */
import { ModelProto, TensorProto_DataType } from "../proto/third_party/onnx/onnx.ts";

const square = (name: string) => ({
  name,
  type: {
    value: {
      $case: "tensorType" as const,
      value: {
        elemType: TensorProto_DataType.FLOAT,
        shape: { dim: ["n", "n"].map((value) => ({ value: { $case: "dimParam" as const, value } })) },
      },
    },
  },
});

/** Returns a model with input `x` [n, n] and outputs `power` = x to the power of `factors`, and `negative` = -x. */
export function matrixPowerModel(factors: number): Uint8Array {
  const products = Array.from({ length: factors - 1 }, (_, i) => ({
    opType: "MatMul",
    input: [i === 0 ? "x" : `x${i}`, "x"],
    output: [i === factors - 2 ? "power" : `x${i + 1}`],
  }));
  const model = ModelProto.fromPartial({
    irVersion: 10n,
    opsetImport: [{ domain: "", version: 21n }],
    graph: {
      name: "matrix-power",
      node: [...products, { opType: "Neg", input: ["x"], output: ["negative"] }],
      input: [square("x")],
      output: [square("power"), square("negative")],
    },
  });
  return ModelProto.encode(model).finish();
}

/** Returns an n x n matrix of small reproducible values that stay small under powers. */
export const testMatrix = (n: number): Float32Array =>
  Float32Array.from({ length: n * n }, (_, i) => (((i * 7919) % 1013) / 1013 - 0.5) / Math.sqrt(n));
