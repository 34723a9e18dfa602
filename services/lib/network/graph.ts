/** @file Builds ONNX models out of nodes, in the order they are added; the generated protobuf messages do the encoding. */
import type {
  AttributeProto,
  DeepPartial,
  NodeProto,
  TensorProto,
  ValueInfoProto,
} from "../proto/third_party/onnx/onnx.ts";
import { AttributeProto_AttributeType, ModelProto, TensorProto_DataType } from "../proto/third_party/onnx/onnx.ts";

/** The name of a tensor in a graph. */
export type Value = string;
/** A size, or the name of a size that each run may choose. */
export type Dim = number | string;
/** The element types that graphs here use. */
export type ElementType = "float32" | "uint8" | "int32" | "int64" | "bool";
/** An attribute of a node: an integer, a list of integers, the name of a mode, a float32. */
type Attribute = number | readonly number[] | string | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

/** The ONNX operator set that graphs are written in. */
export const OPSET = 21n;
const IR_VERSION = 10n;
const BLOCKED_DOMAIN = "com.microsoft.nchwc";
const DATA_TYPE = {
  float32: TensorProto_DataType.FLOAT,
  uint8: TensorProto_DataType.UINT8,
  int32: TensorProto_DataType.INT32,
  int64: TensorProto_DataType.INT64,
  bool: TensorProto_DataType.BOOL,
} as const;

/** A graph under construction. Methods that add a node return the name of its result. */
export class Graph {
  readonly #nodes: DeepPartial<NodeProto>[] = [];
  readonly #initializers = new Map<string, DeepPartial<TensorProto>>();
  readonly #inputs: DeepPartial<ValueInfoProto>[] = [];
  readonly #outputs: DeepPartial<ValueInfoProto>[] = [];
  /** The names of vectors of int32 by what they hold: every node that uses one repeats its name, and some are long. */
  readonly #int32s = new Map<string, Value>();
  #usesBlocked = false;

  /** Declares an input of the model. */
  input(name: string, type: ElementType, dims: readonly Dim[]): Value {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Gives `value` out under `name`. */
  output(name: string, value: Value, type: ElementType, dims: readonly Dim[]): void {
    this.#nodes.push({ opType: "Identity", name, input: [value], output: [name] });
    this.#outputs.push(valueInfo(name, type, dims));
  }

  /** Adds a named float32 constant, row-major. */
  float32(name: string, dims: readonly number[], data: Float32Array): Value {
    return this.#constant(name, "float32", dims, data);
  }

  /** Adds a float32 scalar, once for each value. */
  scalar(value: number): Value {
    return this.#constant(`scalar(${value})`, "float32", [], Float32Array.of(value));
  }

  /** Adds a vector of int32, once for each content. */
  int32s(values: ArrayLike<number>): Value {
    const data = Int32Array.from(values);
    const content = data.join();
    const name = this.#int32s.get(content) ?? `int32_${this.#int32s.size}`;
    this.#int32s.set(content, name);
    return this.#constant(name, "int32", [data.length], data);
  }

  /** Adds a vector of int64 (what operators take as axes, shapes and indices), once for each content. */
  int64s(values: readonly number[]): Value {
    return this.#constant(`int64(${values})`, "int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** Adds a node with one result. */
  node(opType: string, input: readonly Value[], attributes: Attributes = {}): Value {
    return this.nodes(opType, input, 1, attributes)[0]!;
  }

  /** Adds a node with `count` results. */
  nodes(opType: string, input: readonly Value[], count: number, attributes: Attributes = {}): readonly Value[] {
    const name = `${opType}_${this.#nodes.length}`;
    const output = Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}.${i}`));
    this.#nodes.push({ opType, name, input: [...input], output, attribute: Object.entries(attributes).map(attribute) });
    return output;
  }

  /** Adds a node of ONNX Runtime's own domain for blocked tensors (`blocked/planes.ts`): CPUs only. */
  blocked(opType: string, input: readonly Value[], attributes: Attributes = {}): Value {
    const value = this.node(opType, input, attributes);
    this.#nodes.at(-1)!.domain = BLOCKED_DOMAIN;
    this.#usesBlocked = true;
    return value;
  }

  /** Reshapes to `dims`; one of them may be -1. */
  reshape(value: Value, dims: readonly number[]): Value {
    return this.node("Reshape", [value, this.int64s(dims)]);
  }

  /** Sums over `axes`; they are dropped unless `keepDims`. */
  sum(value: Value, axes: readonly number[], keepDims = false): Value {
    return this.node("ReduceSum", [value, this.int64s(axes)], { keepdims: keepDims ? 1 : 0 });
  }

  /** Returns the finished model: serialized ONNX, opset 21, with `metadata` as its properties. */
  model(metadata: Readonly<Record<string, string>> = {}): Uint8Array {
    const model = ModelProto.fromPartial({
      irVersion: IR_VERSION,
      producerName: "radhical",
      opsetImport: [
        { domain: "", version: OPSET },
        ...(this.#usesBlocked ? [{ domain: BLOCKED_DOMAIN, version: 1n }] : []),
      ],
      graph: {
        name: "radhical",
        node: this.#nodes,
        initializer: [...this.#initializers.values()],
        input: this.#inputs,
        output: this.#outputs,
      },
      metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    });
    return ModelProto.encode(model).finish();
  }

  #constant(name: string, type: ElementType, dims: readonly number[], data: ArrayBufferView): Value {
    // ONNX stores little-endian; so does every machine that ONNX Runtime is built for
    const rawData = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.#initializers.set(name, { name, dataType: DATA_TYPE[type], dims: dims.map(BigInt), rawData });
    return name;
  }
}

function attribute([name, value]: readonly [string, Attribute]): DeepPartial<AttributeProto> {
  if (typeof value === "string") return { name, type: AttributeProto_AttributeType.STRING, s: Buffer.from(value) };
  if (typeof value === "number") return { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) };
  if ("float" in value) return { name, type: AttributeProto_AttributeType.FLOAT, f: value.float };
  return { name, type: AttributeProto_AttributeType.INTS, ints: value.map(BigInt) };
}

function valueInfo(name: string, type: ElementType, dims: readonly Dim[]): DeepPartial<ValueInfoProto> {
  const dim = dims.map((size) => ({
    value:
      typeof size === "number"
        ? { $case: "dimValue" as const, value: BigInt(size) }
        : { $case: "dimParam" as const, value: size },
  }));
  return { name, type: { value: { $case: "tensorType", value: { elemType: DATA_TYPE[type], shape: { dim } } } } };
}

/** ONNX's number of an element type, for Cast. */
export const dataType = (type: ElementType): number => DATA_TYPE[type];
