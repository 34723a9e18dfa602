/** @file METHOD.md, "Grading": how well a mask finds the annotated nuclei of an image, and of many. */
import { type Components, findComponents } from "./components.ts";
import type { Nuclei } from "./nuclei.ts";
import { findOverlaps, type Overlaps } from "./overlaps.ts";

/** Objects matched at intersection over union above 0.5 (then no object has two matches), and what is left. */
export interface ObjectCounts {
  /** Matched pairs. */
  readonly truePositives: number;
  /** Objects without a nucleus. */
  readonly falsePositives: number;
  /** Nuclei without an object. */
  readonly falseNegatives: number;
}

/** Grades of one image. */
export interface ImageGrades {
  /** Annotated nuclei of at least 10 pixels. Where there is none, the next four are 0 and do not count in means over images. */
  readonly nuclei: number;
  /** Share of nuclei of which more than half is found. */
  readonly detection: number;
  /** Mean over nuclei, as are the next two. */
  readonly f: number;
  readonly tpr: number;
  readonly ppv: number;
  /** Pixel Dice; 1 where nothing is annotated and nothing predicted, as for the next two. */
  readonly dice: number;
  /** Aggregated Jaccard index (Kumar et al. 2017). */
  readonly aji: number;
  /** Panoptic quality (Kirillov et al. 2019). */
  readonly pq: number;
  readonly objects: ObjectCounts;
}

/** Grades over images: means, but `objectF1` is pooled. `f` to `ppv` are means over the images that have nuclei. */
export interface Grades {
  readonly images: number;
  readonly nuclei: number;
  readonly detection: number;
  readonly f: number;
  readonly tpr: number;
  readonly ppv: number;
  readonly dice: number;
  readonly objectF1: number;
  readonly aji: number;
  readonly pq: number;
}

/**
 * Returns the grades of a 0/1 mask (the image's size, holes already filled). An object that touches only ignored nuclei is ignored by
 * the object measures too.
 */
export const gradeImage = (mask: Uint8Array, nuclei: Nuclei): ImageGrades => {
  if (mask.length !== nuclei.numbers.length) {
    throw new RangeError(`Cannot grade a mask of ${mask.length} pixels by an annotation of ${nuclei.numbers.length}`);
  }
  return gradePrediction(findComponents(mask, nuclei.width, nuclei.height, 8), nuclei);
};

/** `gradeImage` of a mask's 8-connected components. */
export const gradePrediction = (predicted: Components, nuclei: Nuclei): ImageGrades => {
  const overlaps = findOverlaps(predicted, nuclei);
  const predictedPx = sum(overlaps.objects.areas);
  return {
    ...gradeNuclei(overlaps, nuclei),
    dice: ratio(2 * overlaps.truePx, predictedPx + nuclei.annotatedPx, 1),
    ...gradeObjects(overlaps, nuclei),
  };
};

/** Per nucleus the objects that touch it, merged: TP, FP (pixels on other nuclei too), FN in pixels. */
const gradeNuclei = ({ objects, nucleus, object, sharedPx }: Overlaps, { count, areas }: Nuclei) => {
  const found = new Float64Array(count);
  const merged = new Float64Array(count);
  for (let pair = 0; pair < nucleus.length; pair++) {
    const at = nucleus[pair]!;
    found[at] = found[at]! + sharedPx[pair]!;
    merged[at] = merged[at]! + objects.areas[object[pair]!]!;
  }
  let detection = 0;
  let f = 0;
  let tpr = 0;
  let ppv = 0;
  for (let i = 0; i < count; i++) {
    const truePositive = found[i]!;
    if (truePositive === 0) continue;
    // 2TP + FP + FN = merged + area
    f += (2 * truePositive) / (merged[i]! + areas[i]!);
    tpr += truePositive / areas[i]!;
    ppv += truePositive / merged[i]!;
    if (2 * truePositive > areas[i]!) detection++;
  }
  const mean = (total: number) => ratio(total, count, 0);
  return { nuclei: count, detection: mean(detection), f: mean(f), tpr: mean(tpr), ppv: mean(ppv) };
};

const gradeObjects = ({ objects, nucleus, object, sharedPx, ignoredObjects }: Overlaps, { count, areas }: Nuclei) => {
  const best = Array.from({ length: count }, () => ({ iou: 0, object: -1, shared: 0, union: 0 }));
  for (let pair = 0; pair < nucleus.length; pair++) {
    const at = nucleus[pair]!;
    const shared = sharedPx[pair]!;
    const union = areas[at]! + objects.areas[object[pair]!]! - shared;
    if (shared / union > best[at]!.iou) best[at] = { iou: shared / union, object: object[pair]!, shared, union };
  }
  const matched = best.filter(({ iou }) => iou > 0.5);
  const predicted = objects.count - sum(ignoredObjects);
  const truePositives = matched.length;
  const counts = {
    truePositives,
    falsePositives: predicted - truePositives,
    falseNegatives: count - truePositives,
  };
  // AJI = sum of best intersections / (sum of their unions + pixels of objects that were best for no nucleus)
  const unused = Uint32Array.from(objects.areas, (area, i) => (ignoredObjects[i] === 1 ? 0 : area));
  let shared = 0;
  let united = 0;
  for (let i = 0; i < count; i++) {
    const match = best[i]!;
    shared += match.shared;
    united += match.object < 0 ? areas[i]! : match.union;
    if (match.object >= 0) unused[match.object] = 0;
  }
  const quality = matched.reduce((total, { iou }) => total + iou, 0);
  return {
    aji: ratio(shared, united + sum(unused), 1),
    // sum of IoU / (TP + FP/2 + FN/2)
    pq: ratio(2 * quality, predicted + count, 1),
    objects: counts,
  };
};

/** Returns the grades over images. Without any image all are 0. */
export const poolGrades = (images: readonly ImageGrades[]): Grades => {
  const graded = images.filter(({ nuclei }) => nuclei > 0);
  const mean = (of: readonly ImageGrades[], value: (image: ImageGrades) => number) =>
    ratio(
      of.reduce((total, image) => total + value(image), 0),
      of.length,
      0,
    );
  const objects = (value: (counts: ObjectCounts) => number) =>
    images.reduce((total, image) => total + value(image.objects), 0);
  const truePositives = objects((counts) => counts.truePositives);
  const errors = objects((counts) => counts.falsePositives + counts.falseNegatives);
  return {
    images: images.length,
    nuclei: images.reduce((total, { nuclei }) => total + nuclei, 0),
    detection: mean(graded, ({ detection }) => detection),
    f: mean(graded, ({ f }) => f),
    tpr: mean(graded, ({ tpr }) => tpr),
    ppv: mean(graded, ({ ppv }) => ppv),
    dice: mean(images, ({ dice }) => dice),
    objectF1: ratio(2 * truePositives, 2 * truePositives + errors, images.length > 0 ? 1 : 0),
    aji: mean(images, ({ aji }) => aji),
    pq: mean(images, ({ pq }) => pq),
  };
};

const ratio = (part: number, whole: number, ofNothing: number): number => (whole === 0 ? ofNothing : part / whole);

const sum = (values: Iterable<number>): number => {
  let total = 0;
  for (const value of values) total += value;
  return total;
};
