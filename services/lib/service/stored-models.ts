/** @file Models of the object store that may be used on the pixels of this version. */
import { DomainError } from "../errors.ts";
import { NORMALISATION } from "../method/normalisation.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { ModelDocument } from "../proto/radhical/v1/work.ts";
import { MODEL } from "./document-kinds.ts";
import { readDocument } from "./documents.ts";

/**
 * Returns a model to use on images. Throws notFound MODEL_NOT_FOUND, and failedPrecondition MODEL_OUTDATED for one that learnt from pixels
 * which an earlier version normalised in another way: it would compute, and be wrong.
 */
export async function readUsableModel(objects: ObjectStore, modelId: string): Promise<ModelDocument> {
  const document = await readDocument(objects, MODEL, modelId);
  if (document.normalisation === NORMALISATION) return document;
  const learnt = document.normalisation || "an earlier version's";
  throw new DomainError(
    "failedPrecondition",
    "MODEL_OUTDATED",
    `Cannot use model "${modelId}": it learnt from pixels of normalisation "${learnt}", here it is "${NORMALISATION}"; train it anew`,
  );
}
