/** @file The layers that a network description may be made of. */
import { z } from "zod";

const count = z.int().min(1).max(4096);

/** A convolution without padding, stride 1, with bias. */
export const ConvLayer = z.strictObject({ type: z.literal("conv"), kernelPx: count, channels: count });
/** max(x, 0) of every value. */
export const ReluLayer = z.strictObject({ type: z.literal("relu") });
/** The maximum of windows of sizePx x sizePx that do not overlap. */
export const MaxPoolLayer = z.strictObject({ type: z.literal("maxPool"), sizePx: count.min(2) });

/** Any layer; adding one here asks for its operator, gradient included, in `operators/table.ts`. */
export const Layer = z.discriminatedUnion("type", [ConvLayer, ReluLayer, MaxPoolLayer]);

export type ConvLayer = z.infer<typeof ConvLayer>;
export type ReluLayer = z.infer<typeof ReluLayer>;
export type MaxPoolLayer = z.infer<typeof MaxPoolLayer>;
export type Layer = z.infer<typeof Layer>;

/** What flows between layers for one patch: `channels` planes of sidePx x sidePx. */
export interface Shape {
  readonly channels: number;
  readonly sidePx: number;
}
