/**
 * @file The gradient by a convolution's weights: what lies before it, correlated with the gradient by what lies behind it, over all images.
 * As a blocked convolution it exchanges batch and channels, and the gradient is its filter.
 */
import type { Graph, Value } from "../graph.ts";
import type { Stage } from "./stage.ts";

/** Outputs that ONNX Runtime's blocked convolutions compute side by side; what is left over in a row takes longer each. */
const SIDE_BY_SIDE = 6;

/**
 * Returns the correlation of each of a stage's input channels with each of its gradients, which lie `dilation` apart, plain [I, O, s, s]: s the
 * places that the gradient has on the input. `images` is what `imagesAsChannels` made of the input, `gradient` blocked
 * [N, O, side / dilation, side / dilation], side that of the convolution's output.
 */
export function correlation(graph: Graph, stage: Stage, images: Value, gradient: Value, dilation: number): Value {
  const { layer, input, batchSize, block } = stage;
  const { channels } = layer;
  const inputPx = input.sidePx;
  const gradientPx = (inputPx - layer.kernelPx + 1) / dilation;
  const sidePx = inputPx - (gradientPx - 1) * dilation;
  // as a filter: [O/B, N/B, rows, columns, B images, B outputs]; Gather, unlike Transpose, works in several threads
  const lines = graph.reshape(gradient, [-1, block]);
  const filter = graph.node("Gather", [lines, graph.int32s(filterLines(stage, gradientPx))]);
  const missing = (SIDE_BY_SIDE - (sidePx % SIDE_BY_SIDE)) % SIDE_BY_SIDE;
  // one or two more are computed sooner than four or five one after the other
  const added = missing <= 2 ? missing : 0;
  const wide = added > 0 ? widened(graph, images, { sidePx: inputPx, block, after: added }) : images;
  const planes = graph.reshape(wide, [input.channels, batchSize, inputPx, inputPx + added]);
  const weight = graph.reshape(filter, [channels, batchSize, gradientPx, gradientPx]);
  const correlated = graph.blocked("Conv", [planes, weight], { dilations: [dilation, dilation] });
  const plain = graph.blocked("ReorderOutput", [correlated], { channels });
  if (added === 0) return plain;
  const [starts, ends, axes] = [[0], [sidePx], [3]].map((list) => graph.int64s(list));
  return graph.node("Slice", [plain, starts!, ends!, axes!]);
}

/** Returns plain planes [N, C, S, S] as C images of N channels, blocked. */
export const imagesAsChannels = (graph: Graph, planes: Value): Value =>
  graph.blocked("ReorderInput", [exchanged(graph, planes)]);

/** Exchanges batch and channels of plain planes. */
export const exchanged = (graph: Graph, planes: Value): Value =>
  graph.node("Transpose", [planes], { perm: [1, 0, 2, 3] });

/** Returns blocked planes of square images with columns of zeros before and after, as lines of a matrix. */
export function widened(graph: Graph, planes: Value, { sidePx, block, before = 0, after }: WidenedShape): Value {
  const pads = graph.int64s([0, before * block, 0, after * block]);
  return graph.node("Pad", [graph.reshape(planes, [-1, sidePx * block]), pads, graph.scalar(0)]);
}

interface WidenedShape {
  readonly sidePx: number;
  readonly block: number;
  readonly before?: number;
  readonly after: number;
}

/** The lines of B outputs of a blocked gradient [N, O/B, places, B], in the order [O/B, N/B, places, B images]. */
function filterLines({ layer, batchSize, block }: Stage, gradientPx: number): Int32Array {
  const [blocks, places] = [layer.channels / block, gradientPx ** 2];
  const lines = new Int32Array(batchSize * blocks * places);
  let at = 0;
  for (let ofOutputs = 0; ofOutputs < blocks; ofOutputs++) {
    for (let first = 0; first < batchSize; first += block) {
      for (let place = 0; place < places; place++) {
        for (let image = first; image < first + block; image++) {
          lines[at++] = (image * blocks + ofOutputs) * places + place;
        }
      }
    }
  }
  return lines;
}
