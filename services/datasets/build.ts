/** @file Build: record files, LevelDB databases and mean images, one unit per fold and level (METHOD.md 3). */
import { DomainError, invalid } from "../lib/errors.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { BuildRequest } from "../lib/proto/radhical/v1/datasets.ts";
import { BuildRecord, BuildTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, DATABASE_SET, PATCH_SET, SPLIT } from "../lib/service/document-kinds.ts";
import { createDocument, readDocument, readRecord } from "../lib/service/documents.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import { DATABASE_TOPIC } from "../lib/service/topics.ts";
import { listPath } from "./split.ts";

export interface BuildContext {
  readonly objects: ObjectStore;
}

/** Returns the definition of build jobs. */
export const buildJobs = (ctx: BuildContext): JobDefinition<BuildRequest> => ({
  kind: "build",
  unit: "databases",
  codec: BuildRequest,
  plan: async ({ splitId, folds }) => {
    const split = await readDocument(ctx.objects, SPLIT, splitId);
    const wanted = [...new Set(folds)].sort((a, b) => a - b);
    if (wanted.length === 0) throw invalid("FOLDS_MISSING", "Cannot build databases of no fold; name at least one");
    const unknown = wanted.find((fold) => !split.folds.some((known) => known.fold === fold));
    if (unknown !== undefined)
      throw invalid("FOLD_UNKNOWN", `Cannot build fold ${unknown}: the split has folds 1 to ${split.folds.length}`);
    const { patchSetId, seed } = split;
    const { sampling, normalisation } = await readDocument(ctx.objects, PATCH_SET, patchSetId);
    if (normalisation !== NORMALISATION) {
      const message = `Cannot build databases: patch set "${patchSetId}" is of a version with another normalisation; extract again`;
      throw new DomainError("failedPrecondition", "PATCH_SET_OUTDATED", message);
    }
    const keyOf = new Map(split.files.map(({ path, key }) => [path, key]));
    const units = wanted.flatMap((fold) =>
      (sampling?.reductions ?? []).map((_, index) => {
        const level = index + 1;
        const trainKey = keyOf.get(listPath("train", fold, level)) ?? "";
        const testKey = keyOf.get(listPath("test", fold, level)) ?? "";
        return planUnit({
          topic: DATABASE_TOPIC,
          key: `${splitId}-${fold}-${level}`,
          codec: BuildTask,
          task: { patchSetId, fold, level, trainKey, testKey, seed, normalisation },
          outputKey: objectKey("databases", splitId, "records", `${fold}-${level}`),
        });
      }),
    );
    return { resultId: contentId("database set", splitId, ...wanted), units };
  },
  finish: async ({ splitId }, id, units, progress) => {
    const { patchSetId } = await readDocument(ctx.objects, SPLIT, splitId);
    const { sampling, cohortId } = await readDocument(ctx.objects, PATCH_SET, patchSetId);
    const { mpp } = await readDocument(ctx.objects, COHORT, cohortId);
    const records: BuildRecord[] = [];
    for await (const { outputKey } of units) {
      records.push(await readRecord(ctx.objects, BuildRecord, outputKey));
      await progress();
    }
    const reductions = sampling?.reductions ?? [];
    await createDocument(ctx.objects, DATABASE_SET, id, { records, reductions, mpp, splitId });
    return undefined;
  },
});
