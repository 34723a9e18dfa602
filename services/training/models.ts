/** @file Models in the store: list, describe, fetch, import. */
import { z } from "zod";
import { DomainError, invalid } from "../lib/errors.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { MODEL_NAMES, readModel, type StoredModel } from "../lib/network/model-contents.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { type ImportModelRequest, type ImportModelResponse, Model } from "../lib/proto/radhical/v1/training.ts";
import { shortId } from "../lib/service/content-id.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument } from "../lib/service/documents.ts";
import { receiveUpload } from "../lib/service/files.ts";

const MAX_MODEL_BYTES = 256 * 2 ** 20;

/** Stores a model under its id; the document last, so that whoever finds it finds the file too. */
export async function storeModel(
  objects: ObjectStore,
  model: Model,
  manifest: string,
  onnx: Uint8Array,
): Promise<void> {
  const key = objectKey("model-files", model.modelId);
  await objects.put(key, onnx, { ifAbsent: true });
  await createDocument(objects, MODEL, model.modelId, { model, manifest, key, normalisation: NORMALISATION });
}

const Count = z.int().min(0);
const Row = z.tuple([Count, Count, Count]);
const Manifest = z.object({
  modelId: z.string(),
  splitId: z.string(),
  fold: z.int().min(1),
  level: z.int().min(1),
  reduction: z.int().min(1),
  mpp: z.number().positive(),
  normalisation: z.literal(NORMALISATION, { error: `only "${NORMALISATION}" is known here; train the model anew` }),
  settings: z.object({ iterations: z.int().min(1), members: z.int().min(1).default(1) }),
  testAccuracy: z.number(),
  confusion: z.tuple([Row, Row, Row]),
  rareClasses: z.array(z.int().min(0).max(2)),
});

/** Returns a model's description from its manifest. Throws MANIFEST_INVALID that lists what is wrong. */
export function parseManifest(modelId: string, manifest: string): Model {
  let json: unknown;
  try {
    json = JSON.parse(manifest);
  } catch (error) {
    throw invalid("MANIFEST_INVALID", `Cannot read the manifest of model "${modelId}": it is not JSON`, error);
  }
  const parsed = Manifest.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw invalid("MANIFEST_INVALID", `Cannot use the manifest of model "${modelId}": ${problems.join("; ")}`);
  }
  const { settings, confusion, ...fields } = parsed.data;
  if (fields.modelId !== modelId) {
    const message = `Cannot use the manifest of model "${fields.modelId}" for model "${modelId}": keep each model with its own manifest`;
    throw invalid("MANIFEST_INVALID", message);
  }
  return Model.fromPartial({
    ...fields,
    iterations: settings.iterations,
    members: settings.members,
    confusion: confusion.flat().map(BigInt),
  });
}

type Purpose = Pick<Model, "splitId" | "fold" | "level" | "reduction" | "mpp">;

/** Returns what a model is for as its file says it (metadata properties). */
export const purposeOf = ({ splitId, fold, level, reduction, mpp }: Purpose): Record<string, string> => ({
  "radhical.split": splitId,
  "radhical.fold": String(fold),
  "radhical.level": String(level),
  "radhical.reduction": String(reduction),
  "radhical.mpp": String(mpp),
});

/** A manifest stays with its model's bytes for ever, for all callers. Throws MANIFEST_INVALID where the file itself says otherwise. */
function checkAgainstFile(model: Model, { properties, members }: StoredModel): void {
  const inFile: Readonly<Record<string, string>> = { ...properties, [MODEL_NAMES.members]: String(members.length) };
  for (const [name, said] of Object.entries({ ...purposeOf(model), [MODEL_NAMES.members]: String(model.members) })) {
    const own = inFile[name];
    if (own === undefined || own === said) continue;
    const message = `Cannot use the manifest of model "${model.modelId}": it says "${said}" where the model itself says "${own}" (${name}); fetch or copy it again`;
    throw invalid("MANIFEST_INVALID", message);
  }
}

/** Returns a stored description as readers get it: earlier versions, whose models were of one network, did not say so. */
export const asTold = (model: Model): Model => ({ ...model, members: Math.max(1, model.members) });

/** Whether two descriptions say the same; how fast a model was trained no manifest says. */
const isSame = (one: Model, other: Model): boolean => {
  const bytes = (model: Model): Uint8Array => encode(Model, { ...asTold(model), stepsPerSecond: 0 });
  return Buffer.from(bytes(one)).equals(bytes(other));
};

/** Returns the handler of ImportModel. */
export const importModel =
  (ctx: { readonly objects: ObjectStore }) =>
  async (parts: AsyncIterable<ImportModelRequest>): Promise<ImportModelResponse> => {
    const { header, bytes } = await receiveUpload(parts, MAX_MODEL_BYTES, async () => false);
    const modelId = shortId(header.sha256);
    const model = parseManifest(modelId, header.manifest);
    checkAgainstFile(model, readModel(bytes ?? new Uint8Array()));
    await storeModel(ctx.objects, model, header.manifest, bytes ?? new Uint8Array());
    const { model: stored } = await readDocument(ctx.objects, MODEL, modelId);
    if (stored === undefined || isSame(stored, model)) return { model };
    const message = `Cannot import model "${modelId}": it is in the store with another manifest; compare yours with what DescribeModel returns`;
    throw new DomainError("alreadyExists", "MANIFEST_DIFFERS", message);
  };
