/** @file Tensors as they cross from the main thread to the runtime's workers and back. */
import { invalid } from "../errors.ts";

/** The element types that graphs of this house take and give, with the array that holds each. */
export interface TensorArrays {
  readonly float32: Float32Array;
  readonly uint8: Uint8Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
}

/** A dense tensor of one element type, row-major. A scalar has no dims and one element. */
export type Tensor = {
  [Type in keyof TensorArrays]: {
    readonly type: Type;
    readonly dims: readonly number[];
    readonly data: TensorArrays[Type];
    /**
     * True hands the array's memory over instead of copying it: after the run started, `data` is empty for the caller.
     * It only works where `data` covers its whole ArrayBuffer; otherwise, and without it, the elements are copied.
     */
    readonly transfer?: boolean;
    /** True lends the ArrayBuffer behind `data`, whatever of it `data` covers, for the time of a run, whose reply gives it back. */
    readonly lend?: boolean;
  };
}[keyof TensorArrays];

/** Inputs or outputs of a run by the graph's names. */
export type Tensors = Readonly<Record<string, Tensor>>;

const ARRAYS = {
  float32: Float32Array,
  uint8: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
} as const;

/** True if graphs here use the element type `type`. */
export const isElementType = (type: string): type is keyof TensorArrays => Object.hasOwn(ARRAYS, type);

/** Returns the float32 elements of `tensor`; throws TENSOR_INVALID if it is missing or of another type. */
export function float32Data(tensor: Tensor | undefined): Float32Array {
  if (tensor?.type === "float32") return tensor.data;
  throw invalid("TENSOR_INVALID", `Cannot read a tensor of type "${tensor?.type}" as float32`);
}

/** Checks type, dims and length of every tensor against each other. Throws TENSOR_INVALID that names the tensor. */
export function checkTensors(tensors: Tensors): void {
  for (const [name, { type, dims, data }] of Object.entries(tensors)) {
    if (!(isElementType(type) && data instanceof ARRAYS[type])) {
      throw invalid("TENSOR_INVALID", `Cannot feed "${name}": its data is not an array of ${type}`);
    }
    const size = dims.reduce((product, dim) => product * dim, 1);
    if (!dims.every((dim) => Number.isInteger(dim) && dim >= 0) || size !== data.length) {
      throw invalid(
        "TENSOR_INVALID",
        `Cannot feed "${name}": ${data.length} elements do not fill [${dims.join(", ")}]`,
      );
    }
  }
}

/**
 * Returns `tensors` ready for `postMessage`, with the buffers to transfer. Buffers that are not handed over are copied
 * here, element by element of the view: a structured clone of a view would copy the whole buffer behind it.
 */
export function detach(tensors: Tensors): { readonly tensors: Tensors; readonly transfers: readonly ArrayBuffer[] } {
  const transfers = new Set<ArrayBuffer>();
  const detached = Object.entries(tensors).map(([name, tensor]) => {
    const owned = tensor.lend === true ? lentBuffer(tensor) : tensor.transfer === true && wholeBuffer(tensor.data);
    const data = owned ? tensor.data : copyOf(tensor.data);
    transfers.add(owned || (data.buffer as ArrayBuffer));
    return [name, { type: tensor.type, dims: tensor.dims, data, lend: tensor.lend ?? false } as Tensor] as const;
  });
  return { tensors: Object.fromEntries(detached), transfers: [...transfers] };
}

/** A copy with a buffer of its own. Node's Buffer is a Uint8Array whose `slice` copies nothing. */
const copyOf = (data: Tensor["data"]): Tensor["data"] =>
  data instanceof Uint8Array ? new Uint8Array(data) : data.slice();

/** The buffer under `view` if the view covers it wholly and it may change threads. */
const wholeBuffer = ({ buffer, byteLength }: ArrayBufferView): ArrayBuffer | undefined =>
  buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? buffer : undefined;

/** The buffer under a lent tensor; undefined if it cannot change threads. */
const lentBuffer = ({ data: { buffer } }: Tensor): ArrayBuffer | undefined =>
  buffer instanceof ArrayBuffer ? buffer : undefined;

/** Returns the buffers that tensors were lent in, each once. */
export const lentBuffers = (tensors: Tensors): ArrayBuffer[] => {
  const lent = Object.values(tensors).flatMap((tensor) => (tensor.lend === true ? [lentBuffer(tensor)] : []));
  return [...new Set(lent)].filter((buffer) => buffer !== undefined);
};
