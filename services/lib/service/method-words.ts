/** @file The method's words for the contract's enums. */
import { invalid } from "../errors.ts";
import type { Annotation as MethodAnnotation } from "../method/image.ts";
import { Annotation } from "../proto/radhical/v1/datasets.ts";

/** Returns the method's word for an annotation. Throws ANNOTATION_MISSING. */
export function annotationWord(annotation: Annotation): MethodAnnotation {
  if (annotation === Annotation.ANNOTATION_SPARSE) return "sparse";
  if (annotation === Annotation.ANNOTATION_COMPLETE) return "complete";
  throw invalid("ANNOTATION_MISSING", "Cannot go on without knowing whether the annotation is sparse or complete");
}
