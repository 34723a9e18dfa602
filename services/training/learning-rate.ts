/** @file The learning rate of every step, a function of settings and step alone. */
import { OPTIMIZERS, type OptimizerName } from "../lib/network/optimizers.ts";

/** How the rate goes on: as it is, or down to 0 along half a cosine (Loshchilov and Hutter, ICLR 2017, eq. 5, without restarts). */
export type RateSchedule = "constant" | "cosine";

export interface RateSettings {
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly rateSchedule: RateSchedule;
  readonly iterations: number;
}

/** Returns the graph's learning rate at a step, counted from 0. */
export function learningRateAt(
  { optimizer, learningRate, rateSchedule, iterations }: RateSettings,
  step: number,
): number {
  const share = rateSchedule === "cosine" ? (1 + Math.cos((Math.PI * step) / iterations)) / 2 : 1;
  return OPTIMIZERS[optimizer].rateAt(share * learningRate, step + 1);
}
