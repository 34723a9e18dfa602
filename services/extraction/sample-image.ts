/** @file Draws the centres of one image's patches, and counts its nuclei. */
import { type AnnotatedImage, classifyPixels } from "../lib/method/classes.ts";
import { countNuclei } from "../lib/method/nuclei.ts";
import {
  joinKinds,
  type LabelledCentres,
  type SamplingSettings,
  type Shortfall,
  sampleCentres,
} from "../lib/method/sampling.ts";

/** An image to draw from, and how. */
export type SampleRequest = AnnotatedImage & SamplingSettings;

/** The centres of a level, kind after kind. */
export interface SampledLevel extends LabelledCentres {
  /** From 1, the finest. */
  readonly level: number;
}

/** What extraction knows of an image. */
export interface SampledImage {
  readonly levels: readonly SampledLevel[];
  readonly shortfalls: readonly Shortfall[];
  /** Annotated nuclei that are graded. */
  readonly nuclei: number;
}

/** Returns the centres of an image at every level. Throws RangeError where the labels are not as many as its pixels. */
export function sampleImage(request: SampleRequest): SampledImage {
  const classes = classifyPixels(request);
  const { levels, shortfalls } = sampleCentres(classes, request);
  return {
    levels: levels.map(({ level, kinds }) => ({ level, ...joinKinds(kinds) })),
    shortfalls,
    nuclei: countNuclei(request.labels, classes.annotated, request.maskKind),
  };
}
