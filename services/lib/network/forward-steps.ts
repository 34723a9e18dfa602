/** @file The forward pass of a training step, layer by layer: in blocks where the CPU has them and the layers fit, else by the operators. */
import { coveringStep, covers } from "./blocked/covering-convolution.ts";
import { type Planes, plainPlanes } from "./blocked/planes.ts";
import { blockedStage, canBlock, type Stage } from "./blocked/stage.ts";
import type { Graph, Value } from "./graph.ts";
import type { Layer } from "./layers.ts";
import { type NetworkDescription, placeLayers } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";
import { dealParameters } from "./parameters.ts";

/** A layer's, or a few layers', forward pass and, from the gradient by the output, the backward pass. */
export interface PlanesStep {
  readonly output: Planes;
  parameterGradients(outputGradient: Planes): readonly Value[];
  inputGradient(outputGradient: Planes): Planes;
}

/** Writes all layers; `arrays` are the parameters in the layout's order. Returns their steps, first to last. */
export function forwardSteps(
  graph: Graph,
  network: NetworkDescription,
  pixels: Value,
  arrays: readonly Value[],
  { batchSize, block }: { readonly batchSize: number; readonly block: number },
): readonly PlanesStep[] {
  const layers = placeLayers({ ...network, layers: poolsFirst(network.layers) });
  const dealt = dealParameters(layers, arrays);
  const steps: PlanesStep[] = [];
  let flowing = plainPlanes(graph, pixels);
  for (let at = 0; at < dealt.length; ) {
    const { placed, parameters } = dealt[at]!;
    const { layer, input } = placed;
    const behind = followers(layers.slice(at + 1).map((next) => next.layer));
    const [weight, bias] = parameters;
    const stage: Stage | undefined =
      layer.type === "conv" && block > 0 ? { layer, ...behind, input, isFirst: at === 0, batchSize, block } : undefined;
    const write = stage && writerOf(stage);
    if (write && weight !== undefined && bias !== undefined) {
      steps.push(write(graph, stage, flowing, weight, bias));
      at += 1 + behind.layers;
    } else {
      const step = operatorOf(layer).train(graph, layer, { value: flowing.plain(), shape: input }, parameters);
      steps.push({
        output: plainPlanes(graph, step.output),
        parameterGradients: (gradient) => step.parameterGradients(gradient.plain()),
        inputGradient: (gradient) => plainPlanes(graph, step.inputGradient(gradient.plain())),
      });
      at += 1;
    }
    flowing = steps.at(-1)!.output;
  }
  return steps;
}

/** What writes a convolution and what belongs to it for CPUs; none: the operators do. */
const writerOf = (stage: Stage): typeof blockedStage | undefined =>
  canBlock(stage) ? blockedStage : covers(stage) ? coveringStep : undefined;

/** What of the layers behind a convolution belongs to its stage: one pool, one rectifier. */
function followers([first, second]: readonly Layer[]): {
  readonly poolPx: number;
  readonly hasRelu: boolean;
  readonly layers: number;
} {
  if (first?.type !== "maxPool")
    return { poolPx: 1, hasRelu: first?.type === "relu", layers: first?.type === "relu" ? 1 : 0 };
  return { poolPx: first.sizePx, hasRelu: second?.type === "relu", layers: second?.type === "relu" ? 2 : 1 };
}

/**
 * The layers with every ReLU behind the pool that followed it. Both orders have the same values and gradients (ReLU is
 * monotonic; where it would have tied a window at 0, no gradient passes either way), and a pool leaves it less to do.
 */
export function poolsFirst(layers: readonly Layer[]): Layer[] {
  const ordered: Layer[] = [];
  for (const layer of layers) {
    const relus =
      layer.type === "maxPool" ? ordered.length - 1 - ordered.findLastIndex(({ type }) => type !== "relu") : 0;
    ordered.splice(ordered.length - relus, 0, layer);
  }
  return ordered;
}
