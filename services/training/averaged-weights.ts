/**
 * @file Averaged weights: the mean over the last steps wanders less than the weights of any one step (Polyak and Juditsky, SIAM J. Control
 * Optim. 1992). The sum is float64: its 29 bits beyond float32 hold the sum of a million weights to well under half a bit of their
 * mean, so plain addition in the order of the steps is exact enough, and the same in every run.
 */

export interface AveragingSettings {
  readonly iterations: number;
  /** How many of the last steps count; 0 or 1: the last alone. */
  readonly averagedSteps: number;
}

/** What averaging knows of a run. */
export interface AveragedRun {
  /** Steps taken. */
  readonly step: number;
  readonly parameters: Float32Array;
  /** Sum of the parameters after every step that counts so far; empty before the first. */
  readonly weightSum: Float64Array;
}

/** The number of steps, of `step` taken, that count. */
const countAt = ({ iterations, averagedSteps }: AveragingSettings, step: number): number =>
  averagedSteps <= 1 ? 0 : Math.max(0, step - Math.max(0, iterations - averagedSteps));

/** Returns the sum with the parameters after `step`, if that step counts. `weightSum` grows in place: a run has one sum. */
export function addWeights(settings: AveragingSettings, { step, parameters, weightSum }: AveragedRun): Float64Array {
  if (countAt(settings, step) === 0) return weightSum;
  if (weightSum.length === 0) return Float64Array.from(parameters);
  for (let i = 0; i < parameters.length; i++) weightSum[i] = weightSum[i]! + parameters[i]!;
  return weightSum;
}

/** Returns the weights that the model would have if training ended here. */
export function modelWeights(settings: AveragingSettings, { step, parameters, weightSum }: AveragedRun): Float32Array {
  const count = countAt(settings, step);
  return count === 0 ? parameters : Float32Array.from(weightSum, (sum) => sum / count);
}
