/** @file What every graph does to pixels first. */
import { dataType, type Graph, type Value } from "./graph.ts";

/** Returns (pixels - mean of the channel) * scale as float32; `pixels` uint8 [N, 3, h, w], `channelMeans` [3]. */
export function centred(graph: Graph, pixels: Value, channelMeans: Value, scale: number): Value {
  const values = graph.node("Cast", [pixels], { to: dataType("float32") });
  const means = graph.reshape(channelMeans, [1, 3, 1, 1]);
  return graph.node("Mul", [graph.node("Sub", [values, means]), graph.scalar(scale)]);
}
