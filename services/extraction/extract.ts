/** @file Extract: the patches of every image of a cohort at every level (METHOD.md 1). One unit per image. */

import { invalid } from "../lib/errors.ts";
import { checkReductions } from "../lib/method/blocks.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { checkCounts, SAMPLING_RULE } from "../lib/method/sampling.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ExtractRequest, Sampling, type Shortfall } from "../lib/proto/radhical/v1/extraction.ts";
import { ExtractRecord, ExtractTask, type PatchSet } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, PATCH_SET } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { JobDefinition } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import { IMAGE_TOPIC, MAX_LEVELS } from "../lib/service/topics.ts";
import { countMasks, countPatches } from "./statistics.ts";

/** Names what a record says, so that those of an earlier version, which named shards of patches, are made anew. */
const RECORDS = "patches 3";
/** By which rules patches are made here; a task says by which it is to be done. */
const RULES = { normalisation: NORMALISATION, samplingRule: SAMPLING_RULE } as const;

export interface ExtractContext {
  readonly objects: ObjectStore;
}

function checkSampling(sampling: Sampling | undefined): Sampling {
  if (!sampling) throw invalid("SAMPLING_INVALID", "Cannot extract patches without sampling settings");
  checkReductions(sampling.reductions);
  if (sampling.reductions.length > MAX_LEVELS) {
    const message = `Cannot cut patches at ${sampling.reductions.length} levels: at most ${MAX_LEVELS} are possible`;
    throw invalid("SAMPLING_INVALID", message);
  }
  checkCounts(sampling, sampling.reductions.length);
  return sampling;
}

/** Returns the definition of extract jobs. */
export const extractJobs = (ctx: ExtractContext): JobDefinition<ExtractRequest> => ({
  kind: "extract",
  unit: "images",
  codec: ExtractRequest,
  plan: async ({ cohortId, sampling: given }) => {
    const sampling = checkSampling(given);
    const cohort = await readDocument(ctx.objects, COHORT, cohortId);
    const made = [RECORDS, RULES.normalisation, RULES.samplingRule];
    const settings = contentId(...made, encode(Sampling, sampling), cohort.annotation, cohort.maskKind);
    const units = cohort.members.map(({ imageId, maskId }) => {
      const { annotation, maskKind } = cohort;
      const task = { imageId, maskId, annotation, maskKind, sampling, ...RULES };
      const outputKey = objectKey("patches", settings, "records", contentId(imageId, maskId));
      return planUnit({ topic: IMAGE_TOPIC, key: imageId, codec: ExtractTask, task, outputKey });
    });
    return { resultId: contentId("patch set", cohortId, settings), units };
  },
  finish: async ({ cohortId, sampling }, id, units, progress) => {
    const members: PatchSet["members"] = [];
    const records: ExtractRecord[] = [];
    let normalisation = "";
    for await (const { message, outputKey: recordKey } of units) {
      const task = ExtractTask.decode(message);
      members.push({ imageId: task.imageId, recordKey });
      normalisation = task.normalisation; // of all of them alike
      records.push(await readRecord(ctx.objects, ExtractRecord, recordKey));
      await progress();
    }
    const shortfalls: Shortfall[] = records.flatMap((record) => record.shortfalls);
    const statistics = { levels: countPatches(records), shortfalls, ...countMasks(records) };
    const bareImageIds = members.filter((_, i) => records[i]!.nuclei === 0n).map(({ imageId }) => imageId);
    const patchSet = { cohortId, sampling, members, statistics, bareImageIds, normalisation };
    await createDocument(ctx.objects, PATCH_SET, id, patchSet);
    return shortfalls.length === 0
      ? undefined
      : `${shortfalls.length} times an image had fewer candidate pixels than asked for; all of them were taken`;
  },
});
