/** @file A network as data (METHOD.md 4): reading it, checking it, and following a patch's shape through its layers. */
import { z } from "zod";
import { invalid } from "../errors.ts";
import { Layer, type Shape } from "./layers.ts";
import type { ParameterShape } from "./operators/operator.ts";
import { operatorOf } from "./operators/table.ts";

const Network = z.strictObject({
  version: z.literal(1),
  patchSizePx: z.literal(32),
  /** The index, in both axes, of the pixel that a patch classifies. */
  classifiedPx: z.literal(16),
  channels: z.literal(3),
  classes: z.literal(3),
  /** What pixel values are multiplied by after the channel means are subtracted. */
  inputScale: z.number().min(1e-6).max(1e6),
  layers: z.array(Layer).min(1).max(64),
});

/** 200 MB of weights: every one of them is computed with at every pixel, and a model's file stays below its limit. */
export const MAX_PARAMETERS = 50_000_000;

/** A network's description, version 1: patch [3, 32, 32] of RGB bytes in, logits of three classes out. */
export type NetworkDescription = z.infer<typeof Network>;

/** A layer with the shapes that one patch has before and after it, and the parameters that it needs there. */
export interface PlacedLayer {
  readonly layer: Layer;
  readonly input: Shape;
  readonly output: Shape;
  readonly parameters: readonly ParameterShape[];
}

/** The default network of METHOD.md 4: 32-28-14-10-5-1 pixels, 83,683 parameters. */
export const DEFAULT_NETWORK: NetworkDescription = {
  version: 1,
  patchSizePx: 32,
  classifiedPx: 16,
  channels: 3,
  classes: 3,
  inputScale: 1 / 64,
  layers: [
    { type: "conv", kernelPx: 5, channels: 32 },
    { type: "relu" },
    { type: "maxPool", sizePx: 2 },
    { type: "conv", kernelPx: 5, channels: 32 },
    { type: "relu" },
    { type: "maxPool", sizePx: 2 },
    { type: "conv", kernelPx: 5, channels: 64 },
    { type: "relu" },
    { type: "conv", kernelPx: 1, channels: 64 },
    { type: "relu" },
    { type: "conv", kernelPx: 1, channels: 3 },
  ],
};

/** Returns a network with half the channels in every convolution but the last: about 2.5 times as fast as the default one. */
export const halved = (network: NetworkDescription): NetworkDescription => ({
  ...network,
  layers: network.layers.map((layer, i, { length }) =>
    layer.type === "conv" && i < length - 1 ? { ...layer, channels: Math.ceil(layer.channels / 2) } : layer,
  ),
});

/** Returns the network that JSON text describes. Throws NETWORK_INVALID, as `parseNetwork` does, and where it is not JSON. */
export function readNetwork(text: string): NetworkDescription {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw invalid("NETWORK_INVALID", `Cannot read the network: it is not JSON (${why})`, error);
  }
  return parseNetwork(json);
}

/**
 * Returns the network that `json` (parsed JSON) describes. Throws invalidArgument NETWORK_INVALID that names the layer
 * and the problem: each layer must fit the shape it gets, and the last is a convolution to 3 channels of exactly 1 px.
 */
export function parseNetwork(json: unknown): NetworkDescription {
  const parsed = Network.safeParse(json);
  if (!parsed.success) {
    throw invalid("NETWORK_INVALID", `Cannot read the network: ${parsed.error.issues.map(describeIssue).join("; ")}`);
  }
  const network = parsed.data;
  const placed = placeLayers(network);
  const last = placed.at(-1)!;
  const name = layerName(network.layers.length - 1, last.layer);
  if (last.layer.type !== "conv" || last.output.channels !== network.classes) {
    throw problem(name, `the last layer must be a "conv" with ${network.classes} channels`);
  }
  if (last.output.sidePx !== 1) {
    throw problem(name, `a patch must come to a side of 1 px, but it comes to ${last.output.sidePx} px`);
  }
  const parameters = placed
    .flatMap((layer) => layer.parameters)
    .reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim), 0);
  if (parameters > MAX_PARAMETERS)
    throw invalid(
      "NETWORK_INVALID",
      `Cannot use the network: it has ${parameters} parameters, at most ${MAX_PARAMETERS} are possible`,
    );
  return network;
}

/** Returns the layers with the shapes that a patch has around them. Throws NETWORK_INVALID where a layer does not fit. */
export function placeLayers({ channels, patchSizePx, layers }: NetworkDescription): readonly PlacedLayer[] {
  let input: Shape = { channels, sidePx: patchSizePx };
  return layers.map((layer, index) => {
    const operator = operatorOf(layer);
    const output = operator.outputShape(layer, input);
    if ("problem" in output) throw problem(layerName(index, layer), output.problem);
    const placed = { layer, input, output, parameters: operator.parameters(layer, input) };
    input = output;
    return placed;
  });
}

const layerName = (index: number, layer: Layer): string => `layer ${index + 1} ("${layer.type}")`;

const problem = (name: string, what: string) => invalid("NETWORK_INVALID", `Cannot use the network: ${name}: ${what}`);

/** One of zod's findings; a layer is counted from 1, as in the other messages. */
function describeIssue({ path, message }: z.core.$ZodIssue): string {
  const [first, index, ...rest] = path;
  const place = first === "layers" && typeof index === "number" ? [`layer ${index + 1}`, ...rest] : path;
  return `${place.join(".") || "the whole"}: ${message}`;
}
