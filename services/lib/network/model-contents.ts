/** @file What a stored model holds beside its graph, and reading it back. */
import { DomainError, invalid } from "../errors.ts";
import { ModelProto, type TensorProto, TensorProto_DataType } from "../proto/third_party/onnx/onnx.ts";
import { MAX_MEMBERS, memberName } from "./members.ts";
import { type NetworkDescription, readNetwork } from "./network-description.ts";
import { layoutSize, parameterLayout } from "./parameters.ts";

/** All that a trained network is. */
export interface ModelContents {
  readonly network: NetworkDescription;
  /** The flat vector of `parameterLayout` of each training, one or more: the model's probabilities are the mean of theirs. */
  readonly members: readonly Float32Array[];
  /** The training data's mean of red, green and blue, 0..255. */
  readonly channelMeans: Float32Array;
}

/** A trained network as its file has it. */
export interface StoredModel extends ModelContents {
  /** What its maker said of it (metadata properties). */
  readonly properties: Readonly<Record<string, string>>;
}

/** The names under which a model keeps the description and the number of members (metadata properties), and the means (an initializer). */
export const MODEL_NAMES = {
  network: "radhical.network",
  members: "radhical.members",
  channelMeans: "channelMeans",
} as const;

/** Checks the arrays against the network. Throws invalidArgument PARAMETERS_INVALID. */
export function checkContents({ network, members, channelMeans }: ModelContents): void {
  const size = layoutSize(parameterLayout(network));
  if (members.length === 0) throw invalid("PARAMETERS_INVALID", "Cannot use a model without parameters");
  for (const { length } of members) {
    if (length !== size)
      throw invalid("PARAMETERS_INVALID", `Cannot use ${length} parameters: the network has ${size}`);
  }
  if (channelMeans.length !== network.channels) {
    throw invalid(
      "PARAMETERS_INVALID",
      `Cannot use ${channelMeans.length} channel means: there are ${network.channels}`,
    );
  }
}

/** Returns what `patchGraph` put into `model`. Throws invalidArgument MODEL_UNREADABLE for anything else. */
export function readModel(model: Uint8Array): StoredModel {
  const { graph, metadataProps } = decode(model);
  const properties = Object.fromEntries(metadataProps.map(({ key, value }) => [key, value]));
  const description = properties[MODEL_NAMES.network];
  if (description === undefined) throw unreadable(`it has no property "${MODEL_NAMES.network}"`);
  const network = networkOf(description);
  const tensors = new Map(graph?.initializer.map((tensor) => [tensor.name, tensor]));

  const layout = parameterLayout(network);
  const members = Array.from({ length: countMembers(properties) }, (_, member) => {
    const parameters = new Float32Array(layoutSize(layout));
    for (const { name: own, shape, offset } of layout) {
      const name = memberName(member, own);
      parameters.set(floats(name, tensors.get(name), shape), offset);
    }
    return parameters;
  });
  const means = tensors.get(MODEL_NAMES.channelMeans);
  return { properties, network, members, channelMeans: floats(MODEL_NAMES.channelMeans, means, [network.channels]) };
}

/** A model of one training does not say so: all were, once. */
function countMembers({ [MODEL_NAMES.members]: said = "1" }: Readonly<Record<string, string>>): number {
  const count = Number(said);
  if (!Number.isInteger(count) || count < 1 || count > MAX_MEMBERS)
    throw unreadable(`its property "${MODEL_NAMES.members}" is "${said}", 1 to ${MAX_MEMBERS} is possible`);
  return count;
}

function decode(model: Uint8Array): ModelProto {
  try {
    return ModelProto.decode(model);
  } catch (cause) {
    throw unreadable("it is not an ONNX file", cause);
  }
}

function networkOf(description: string): NetworkDescription {
  try {
    return readNetwork(description);
  } catch (cause) {
    if (!(cause instanceof DomainError)) throw cause;
    throw unreadable(cause.message, cause);
  }
}

/** The elements of an initializer, copied out: a file's bytes need not be aligned to four. */
function floats(name: string, tensor: TensorProto | undefined, shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, dim) => product * dim, 1);
  const matches =
    tensor?.dataType === TensorProto_DataType.FLOAT &&
    tensor.rawData?.byteLength === size * Float32Array.BYTES_PER_ELEMENT &&
    tensor.dims.join() === shape.join();
  if (!matches) throw unreadable(`it has no float32 tensor "${name}" of shape [${shape.join(", ")}]`);
  return new Float32Array(Uint8Array.from(tensor.rawData!).buffer);
}

const unreadable = (why: string, cause?: unknown) =>
  invalid("MODEL_UNREADABLE", `Cannot read the model: ${why}`, cause);
