/** @file METHOD.md, "Grading": the annotated nuclei of an image. */
import { type BitPlane, packPlane } from "./bit-plane.ts";
import { unpackRuns } from "./bit-runs.ts";
import { type Components, componentsOf, labelComponents } from "./components.ts";
import type { LabelPlane, MaskKind } from "./image.ts";

/** Nuclei with fewer pixels are ignored. */
export const MIN_NUCLEUS_PX = 10;
/** Marks annotated pixels of ignored nuclei. */
export const IGNORED = -1;

/** The annotated nuclei of an image that are graded. */
export interface Nuclei {
  readonly width: number;
  readonly height: number;
  /** Per pixel: 0 not annotated, 1..count the nucleus, IGNORED a nucleus that is too small. */
  readonly numbers: Int32Array;
  /** Per pixel: index after the last of the pixels from it on, row after row, that have its number. */
  readonly stretchEnds: Int32Array;
  readonly count: number;
  /** Pixels per nucleus, index = number - 1. */
  readonly areas: Uint32Array;
  /** All annotated pixels, those of ignored nuclei too. */
  readonly annotatedPx: number;
}

/** Returns the nuclei of an annotation: one per label value, or per 8-connected component of a binary mask. */
export const findNuclei = (labels: LabelPlane, width: number, height: number, kind: MaskKind): Nuclei => {
  const instances =
    kind === "labels" ? labels : labelComponents(nucleiOf(packPlane(labels, width, height)), width, height);
  const areaOf = new Map<number, number>();
  for (const label of instances) if (label > 0) areaOf.set(label, (areaOf.get(label) ?? 0) + 1);
  const numberOf = new Map<number, number>();
  const areas: number[] = [];
  let annotatedPx = 0;
  for (const [label, area] of [...areaOf].sort(([a], [b]) => a - b)) {
    annotatedPx += area;
    numberOf.set(label, area < MIN_NUCLEUS_PX ? IGNORED : areas.push(area));
  }
  const numbers = new Int32Array(instances.length);
  for (let i = 0; i < numbers.length; i++) if (instances[i]! > 0) numbers[i] = numberOf.get(instances[i]!)!;
  const stretchEnds = new Int32Array(numbers.length);
  for (let i = numbers.length - 1; i >= 0; i--)
    stretchEnds[i] = numbers[i] === numbers[i + 1] ? stretchEnds[i + 1]! : i + 1;
  return { width, height, numbers, stretchEnds, count: areas.length, areas: Uint32Array.from(areas), annotatedPx };
};

/** Returns `findNuclei`'s count without its planes, which take a third as long as decoding the image; `annotated` is where labels are above 0. */
export const countNuclei = (labels: LabelPlane, annotated: BitPlane, kind: MaskKind): number => {
  const areas = kind === "labels" ? areasOfLabels(labels) : nucleiOf(annotated).areas;
  return areas.reduce((count, area) => count + (area < MIN_NUCLEUS_PX ? 0 : 1), 0);
};

const areasOfLabels = (labels: LabelPlane): Uint32Array => {
  let largest = 0;
  for (let i = 0; i < labels.length; i++) largest = Math.max(largest, labels[i]!);
  const areas = new Uint32Array(largest + 1);
  for (let i = 0; i < labels.length; i++) areas[labels[i]!]!++;
  areas[0] = 0; // not annotated
  return areas;
};

const nucleiOf = (annotated: BitPlane): Components => componentsOf(unpackRuns(annotated), annotated.width, 8);
