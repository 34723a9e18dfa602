/**
 * @file Values between layers in two memory layouts: plain [N, C, H, W], and blocked as ONNX Runtime's fast CPU convolutions want it,
 * [N, C/B, H, W, B], where B channels lie side by side: as many as a vector register holds. The shape of a blocked tensor is
 * still given as [N, C, H, W].
 */
import type { Graph, Value } from "../graph.ts";

/** A value of [N, channels, side, side]; each layout is made where it is first asked for. */
export interface Planes {
  readonly plain: () => Value;
  readonly blocked: () => Value;
}

const once = (make: () => Value): (() => Value) => {
  let made: Value | undefined;
  return () => (made ??= make());
};

/** Returns `make`, which writes what it makes of planes once, however often it is asked. */
export function oncePer<T>(make: (planes: Planes) => T): (planes: Planes) => T {
  const known = new Map<Planes, T>();
  return (planes) => {
    const made = known.get(planes) ?? make(planes);
    known.set(planes, made);
    return made;
  };
}

/** Returns planes of a plain value. */
export const plainPlanes = (graph: Graph, value: Value): Planes => ({
  plain: () => value,
  blocked: once(() => graph.blocked("ReorderInput", [value])),
});

/** Returns planes of a blocked value. */
export const blockedPlanes = (graph: Graph, value: Value, channels: number): Planes => ({
  plain: once(() => graph.blocked("ReorderOutput", [value], { channels })),
  blocked: () => value,
});
