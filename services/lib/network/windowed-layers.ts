/** @file The layers of a dense evaluation with what each of them reads: what sparse evaluation is planned by and what it costs. */
import type { NetworkDescription, PlacedLayer } from "./network-description.ts";
import { placeLayers } from "./network-description.ts";
import { operatorOf } from "./operators/table.ts";

/** A layer of the dense evaluation. */
export interface WindowedLayer extends PlacedLayer {
  /** The side of the window that one place reads; 1: a place reads itself. */
  readonly windowPx: number;
  /** How far apart the values of a window lie. */
  readonly dilation: number;
  /** How much wider and higher than the evaluated pixels the layer's output is. */
  readonly marginPx: number;
  /** Multiply-adds at one place. */
  readonly multiplyAdds: number;
}

/** Returns the layers of a network's dense evaluation, first to last; the last has no margin. */
export function windowedLayers(network: NetworkDescription): readonly WindowedLayer[] {
  let dilation = 1;
  let marginPx = network.patchSizePx - 1;
  return placeLayers(network).map((placed) => {
    const operator = operatorOf(placed.layer);
    const windowPx = operator.windowPx(placed.layer);
    marginPx -= (windowPx - 1) * dilation;
    const weights = placed.parameters.find(({ kind }) => kind === "weight")?.shape ?? [0];
    const multiplyAdds = weights.reduce((product, size) => product * size, 1);
    const windowed = { ...placed, windowPx, dilation, marginPx, multiplyAdds };
    dilation *= operator.stride(placed.layer);
    return windowed;
  });
}

/**
 * Returns the layer that sparse evaluation gathers for, as an index: the last that reads windows. For the default network it is conv3.
 * Undefined where no layer before it reads windows: then it sees the patch itself.
 */
export const gatheringLayer = (layers: readonly WindowedLayer[]): number | undefined => {
  const last = layers.findLastIndex(({ windowPx }) => windowPx > 1);
  return last > 0 ? last : undefined;
};
