/** @file The learning curve's points: how far apart they are, and on what accuracy is measured on the way. */

/** Steps per point of the loss curve. */
export const LOSS_STEPS = 50;
/** Steps per point of the accuracy curve. A point costs the forward pass of 8 batches: about 1 % of the steps. */
export const ACCURACY_STEPS = 250;
/** Test patches that a point of the accuracy curve is measured on, at most: it is right to 1.6 % (one standard deviation). */
export const ACCURACY_PATCHES = 1_024;

/** What a run says of its curve. */
export interface CurveSoFar {
  readonly step: number;
  readonly losses: readonly number[];
  readonly openLoss: number;
}

/** Returns the loss to tell a reader now: of the last full stretch, or before there is one of the steps so far; undefined before the first. */
export function latestLoss({ step, losses, openLoss }: CurveSoFar): number | undefined {
  return losses.at(-1) ?? (step === 0 ? undefined : openLoss / step);
}
