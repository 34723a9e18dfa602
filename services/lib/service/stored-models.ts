/** @file Models of the object store that may be used on the pixels of this version. */
import { DomainError, invalid } from "../errors.ts";
import { NORMALISATION } from "../method/normalisation.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { LevelModel } from "../proto/radhical/v1/inference.ts";
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

/**
 * Returns the model of a level, which has to be what its caller takes it for: at another level or resolution it would compute, and be wrong.
 * Throws as `readUsableModel` does, and LEVELS_INVALID.
 */
export async function readLevelModel(objects: ObjectStore, asked: LevelModel): Promise<ModelDocument> {
  const document = await readUsableModel(objects, asked.modelId);
  const { model } = document;
  if (model?.level === asked.level && model.reduction === asked.reduction && model.mpp === asked.mpp) return document;
  const text = ({ level, reduction, mpp }: Pick<LevelModel, "level" | "reduction" | "mpp">): string =>
    `level ${level}, reduction ${reduction}, ${mpp} um/px`;
  const trained = model ? `it was trained for ${text(model)}` : "nothing is known of what it was trained for";
  throw invalid("LEVELS_INVALID", `Cannot use model "${asked.modelId}" as ${text(asked)}: ${trained}`);
}
