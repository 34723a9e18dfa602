/** @file The method's words for the contract's enums. */
import { invalid } from "../errors.ts";
import type { Annotation as MethodAnnotation } from "../method/image.ts";
import { Annotation, MaskKind } from "../proto/radhical/v1/datasets.ts";

/** Returns the method's word for an annotation. Throws ANNOTATION_MISSING. */
export function annotationWord(annotation: Annotation): MethodAnnotation {
  if (annotation === Annotation.ANNOTATION_SPARSE) return "sparse";
  if (annotation === Annotation.ANNOTATION_COMPLETE) return "complete";
  throw invalid("ANNOTATION_MISSING", "Cannot go on without knowing whether the annotation is sparse or complete");
}

/** How a mask's values are read, by the word for it. */
export const MASK_KINDS = {
  auto: MaskKind.MASK_KIND_AUTO,
  binary: MaskKind.MASK_KIND_BINARY,
  labels: MaskKind.MASK_KIND_LABELS,
} as const;
