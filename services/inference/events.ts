/** @file What levels decide, as metrics tell it. */
import { counter, type Recorder } from "../lib/telemetry/instruments.ts";

const pixels = (what: string, description: string): Recorder =>
  counter(`radhical.pixels.${what}`, { unit: "{pixel}", description });

const computed = pixels("computed", "Pixels of a level whose probabilities were computed");
const accepted = pixels("accepted", "Pixels that a level of the cascade decided to be nucleus");
const rejected = pixels("rejected", "Pixels that a level of the cascade decided not to be nucleus");

/** Tells of the pixels of one tile at one level; only a cascade decides. Counted where they are computed: a repeat counts again. */
export function countPixels(counts: {
  readonly level: number;
  readonly computed: number;
  readonly accepted?: number;
  readonly rejected?: number;
}): void {
  const attributes = { level: counts.level };
  computed(counts.computed, attributes);
  if (counts.accepted !== undefined) accepted(counts.accepted, attributes);
  if (counts.rejected !== undefined) rejected(counts.rejected, attributes);
}
