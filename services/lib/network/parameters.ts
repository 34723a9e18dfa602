/** @file A network's parameters: one flat vector, its layout, and where training starts. */
import { createRandom } from "../method/random.ts";
import type { Graph, Value } from "./graph.ts";
import { type NetworkDescription, type PlacedLayer, placeLayers } from "./network-description.ts";
import type { ParameterShape } from "./operators/operator.ts";

/** One array within the flat vector; `name` is e.g. `conv2.weight`, also its initializer's name in a model. */
export interface Parameter extends ParameterShape {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

/** Returns the parameters of `network` layer by layer, weight before bias; offsets leave no gap. */
export function parameterLayout(network: NetworkDescription): readonly Parameter[] {
  const layout: Parameter[] = [];
  const counts = new Map<string, number>();
  for (const { layer, parameters } of placeLayers(network)) {
    const ordinal = (counts.get(layer.type) ?? 0) + 1;
    counts.set(layer.type, ordinal);
    for (const { kind, shape } of parameters) {
      const size = shape.reduce((product, dim) => product * dim, 1);
      layout.push({ name: `${layer.type}${ordinal}.${kind}`, kind, shape, offset: layoutSize(layout), size });
    }
  }
  return layout;
}

/** Returns the length of the flat vector that `layout` describes. */
export function layoutSize(layout: readonly Parameter[]): number {
  const last = layout.at(-1);
  return last === undefined ? 0 : last.offset + last.size;
}

/**
 * Returns the flat vector that training starts from: weights normal with variance 2 / fan-in (He et al., ICCV 2015, eq. 10),
 * biases 0; a function of network and seed alone.
 */
export function initialParameters(network: NetworkDescription, seed: number): Float32Array {
  const layout = parameterLayout(network);
  const parameters = new Float32Array(layoutSize(layout));
  for (const { name, kind, shape, offset, size } of layout) {
    if (kind === "bias") continue;
    const random = createRandom("initial-parameters", seed, name);
    const fanIn = size / shape[0]!;
    const deviation = Math.sqrt(2 / fanIn);
    for (let i = offset; i < offset + size; i++) parameters[i] = deviation * random.normal();
  }
  return parameters;
}

/** Adds every parameter to `graph` as a constant under its name and returns them in the layout's order. */
export const constantParameters = (graph: Graph, layout: readonly Parameter[], parameters: Float32Array): Value[] =>
  layout.map(({ name, shape, offset, size }) => graph.float32(name, shape, parameters.subarray(offset, offset + size)));

/** Returns each layer with those of `values` (in the layout's order) that are its parameters. */
export function dealParameters(
  layers: readonly PlacedLayer[],
  values: readonly Value[],
): readonly { readonly placed: PlacedLayer; readonly parameters: readonly Value[] }[] {
  let used = 0;
  return layers.map((placed) => {
    const parameters = values.slice(used, used + placed.parameters.length);
    used += parameters.length;
    return { placed, parameters };
  });
}
