/** @file Model documents in a store as training leaves them. */
import { NORMALISATION } from "../method/normalisation.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { ModelDocument } from "../proto/radhical/v1/work.ts";
import { MODEL } from "./document-kinds.ts";
import { createDocument } from "./documents.ts";

/** Stores a model document of which nothing is known but what is given; it learnt from this version's pixels. */
export const storeModelDocument = (
  objects: ObjectStore,
  modelId: string,
  given: Partial<ModelDocument> = {},
): Promise<void> =>
  createDocument(objects, MODEL, modelId, {
    ...{ model: undefined, manifest: "", key: "", normalisation: NORMALISATION },
    ...given,
  });
