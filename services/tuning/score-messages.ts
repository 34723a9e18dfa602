/** @file What a thread that scores thresholds is started with and asked; it answers with a `Score`. */
import type { CascadeThresholds } from "../lib/method/cascade.ts";
import type { ScoreSettings, ValidationImage } from "../lib/method/evaluator.ts";

export interface ScoringData {
  readonly images: readonly ValidationImage[];
  readonly settings: ScoreSettings;
}

export interface ScoreQuestion {
  readonly thresholds: CascadeThresholds;
  readonly endsAt: number;
}
