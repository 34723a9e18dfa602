/** @file The layers and the loss in double precision, by their definitions: what the graphs are tested against. */
import type { Layer, Shape } from "./layers.ts";
import { type NetworkDescription, placeLayers } from "./network-description.ts";

/** Returns the layer's output for one patch; `x` is [channels, side, side], `parameters` flat: weight, then bias. */
export function referenceLayer(
  layer: Layer,
  x: Float64Array,
  { channels, sidePx }: Shape,
  parameters: Float64Array,
): Float64Array {
  switch (layer.type) {
    case "relu":
      return x.map((value) => Math.max(value, 0));
    case "maxPool": {
      const [p, side] = [layer.sizePx, sidePx / layer.sizePx];
      return grid(channels, side, (c, i, j) => {
        let most = Number.NEGATIVE_INFINITY;
        for (let y = i * p; y < (i + 1) * p; y++) {
          for (let z = j * p; z < (j + 1) * p; z++) most = Math.max(most, x[(c * sidePx + y) * sidePx + z]!);
        }
        return most;
      });
    }
    case "conv": {
      const [k, biases] = [layer.kernelPx, parameters.length - layer.channels];
      return grid(layer.channels, sidePx - k + 1, (o, i, j) => {
        let sum = parameters[biases + o]!;
        for (let c = 0; c < channels; c++) {
          for (let y = 0; y < k; y++) {
            const from = (c * sidePx + i + y) * sidePx + j;
            const weight = ((o * channels + c) * k + y) * k;
            for (let z = 0; z < k; z++) sum += x[from + z]! * parameters[weight + z]!;
          }
        }
        return sum;
      });
    }
  }
}

/** Returns the training loss: sum over i of w[y_i] * -log softmax(logits_i)[y_i] / N. */
export function referenceLoss(
  network: NetworkDescription,
  parameters: Float64Array,
  batch: { patches: Uint8Array; labels: Int32Array; classWeights: Float32Array; channelMeans: Float32Array },
): number {
  let loss = 0;
  batch.labels.forEach((label, n) => {
    const patch = Float64Array.from(batch.patches.subarray(n * 3072, (n + 1) * 3072));
    const logits = referenceLogits(network, parameters, patch, batch.channelMeans);
    const greatest = Math.max(...logits);
    const total = logits.reduce((sum, logit) => sum + Math.exp(logit - greatest), 0);
    loss -= batch.classWeights[label]! * (logits[label]! - greatest - Math.log(total));
  });
  return loss / batch.labels.length;
}

function referenceLogits(
  network: NetworkDescription,
  parameters: Float64Array,
  patch: Float64Array,
  means: Float32Array,
) {
  let value: Float64Array = patch.map((pixel, i) => (pixel - means[Math.floor(i / 1024)]!) * network.inputScale);
  let offset = 0;
  for (const { layer, input, parameters: shapes } of placeLayers(network)) {
    const size = shapes.reduce((sum, { shape }) => sum + shape.reduce((product, dim) => product * dim, 1), 0);
    value = referenceLayer(layer, value, input, parameters.subarray(offset, offset + size));
    offset += size;
  }
  return value;
}

function grid(channels: number, side: number, at: (c: number, i: number, j: number) => number): Float64Array {
  const values = new Float64Array(channels * side * side);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) values[(c * side + i) * side + j] = at(c, i, j);
  }
  return values;
}

/** Returns df/dx[index] by central differences; `x` is left as it was. */
export function centralDifference(f: () => number, x: Float64Array, index: number, step = 1e-5): number {
  const kept = x[index]!;
  x[index] = kept + step;
  const above = f();
  x[index] = kept - step;
  const below = f();
  x[index] = kept;
  return (above - below) / (2 * step);
}
