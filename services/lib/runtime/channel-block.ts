/** @file How many channels ONNX Runtime's blocked CPU operators keep side by side: a property of the CPU, found out by asking it. */
import { DomainError } from "../errors.ts";
import { ModelProto, TensorProto_DataType } from "../proto/third_party/onnx/onnx.ts";
import { float32Data, type Tensor } from "./tensor.ts";
import type { WorkerClient } from "./worker-client.ts";

/** Enough for the widest block there is (16, AVX-512). */
const CHANNELS = 64;
const DIMS = [1, CHANNELS, 2, 1];
const SESSION = 0;

const valueInfo = (name: string) => ({
  name,
  type: {
    value: {
      $case: "tensorType" as const,
      value: {
        elemType: TensorProto_DataType.FLOAT,
        shape: { dim: DIMS.map((size) => ({ value: { $case: "dimValue" as const, value: BigInt(size) } })) },
      },
    },
  },
});

/** y = x in blocks. */
function reorderModel(): Uint8Array {
  const model = ModelProto.fromPartial({
    irVersion: 10n,
    opsetImport: [
      { domain: "", version: 21n },
      { domain: "com.microsoft.nchwc", version: 1n },
    ],
    graph: {
      name: "reorder",
      node: [{ opType: "ReorderInput", domain: "com.microsoft.nchwc", input: ["x"], output: ["y"] }],
      input: [valueInfo("x")],
      output: [valueInfo("y")],
    },
  });
  return ModelProto.encode(model).finish();
}

/** Returns the channels in a block: 8 with AVX2, 16 with AVX-512; 0 where there are no blocked operators. */
export async function findChannelBlock(worker: WorkerClient): Promise<number> {
  const data = Float32Array.from({ length: 2 * CHANNELS }, (_, i) => i);
  const x: Tensor = { type: "float32", dims: DIMS, data };
  try {
    await worker.request({ kind: "create", session: SESSION, model: reorderModel() });
  } catch (error) {
    if (error instanceof DomainError) throw error; // the worker's death says nothing of the CPU
    return 0; // a CPU, or a build, without them refuses the model
  }
  const { outputs } = await worker.request({ kind: "run", session: SESSION, feeds: { x }, outputs: ["y"] });
  await worker.request({ kind: "release", session: SESSION });
  // the second row of channel 0 stands behind the first row of the block's channels
  const block = float32Data(outputs.y).indexOf(1);
  return block > 1 && CHANNELS % block === 0 ? block : 0;
}
