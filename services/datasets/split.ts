/** @file Split: folds by patient, validation sets, and the list files of every fold and level (METHOD.md 2). */
import { DomainError } from "../lib/errors.ts";
import { checkFolds, splitFolds } from "../lib/method/folds.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { patchNames } from "../lib/patches/patch-names.ts";
import { SplitRequest } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractRecord, ListTask, type PatchSet, SplitDocument } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { COHORT, PATCH_SET, SPLIT } from "../lib/service/document-kinds.ts";
import { createDocument, encode, readDocument, readRecord } from "../lib/service/documents.ts";
import type { JobDefinition, Plan } from "../lib/service/jobs/job-definition.ts";
import { planUnit } from "../lib/service/jobs/units.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { LIST_TOPIC } from "../lib/service/topics.ts";

export interface SplitContext {
  readonly objects: ObjectStore;
}

/** Returns the split without its files, and its id: a function of the folds themselves, so that folds dealt by another rule are another split. */
async function splitOf(ctx: SplitContext, { patchSetId, folds: count, seed }: Omit<SplitRequest, "requestId">) {
  const patchSet = await readDocument(ctx.objects, PATCH_SET, patchSetId);
  const cohort = await readDocument(ctx.objects, COHORT, patchSet.cohortId);
  // tuning would find out that there is nothing to tune on when every network is trained
  const folds = splitFolds(cohort.members, count, Number(seed), new Set(patchSet.bareImageIds));
  checkFolds(cohort.members, folds);
  const split: SplitDocument = { patchSetId, seed, folds, files: [] };
  return { patchSet, split, id: contentId("split", encode(SplitDocument, split)) };
}

/** Returns the path of a list among its split's files. */
export const listPath = (part: "train" | "test", fold: number, level: number): string =>
  `level-${level}/${part}_w32_${fold}.txt`;

const listKey = (id: string, path: string): string => objectKey("lists", id, ...path.split("/"));

const listKeys = (id: string, fold: number, level: number) => ({
  trainKey: listKey(id, listPath("train", fold, level)),
  testKey: listKey(id, listPath("test", fold, level)),
});

/** Returns the definition of split jobs. One unit per fold and level. */
export const splitJobs = (ctx: SplitContext): JobDefinition<SplitRequest> => ({
  kind: "split",
  unit: "lists",
  codec: SplitRequest,
  plan: async (request): Promise<Plan> => {
    const { patchSet, split, id } = await splitOf(ctx, request);
    const { patchSetId, folds, seed } = request;
    const levels = (patchSet.sampling?.reductions ?? []).map((_, index) => index + 1);
    const units = split.folds.flatMap((fold) =>
      levels.map((level) =>
        planUnit({
          topic: LIST_TOPIC,
          key: `${id}-${fold.fold}-${level}`,
          codec: ListTask,
          task: { patchSetId, folds, seed, level, fold: fold.fold, ...listKeys(id, fold.fold, level) },
          outputKey: objectKey("lists", id, "records", `${fold.fold}-${level}`),
        }),
      ),
    );
    return { resultId: id, units };
  },
  finish: async (request, id, units) => {
    const { split } = await splitOf(ctx, request);
    const files: SplitDocument["files"] = [];
    for await (const { message } of units) {
      const { level, fold, trainKey, testKey } = ListTask.decode(message);
      files.push({ path: listPath("train", fold, level), key: trainKey });
      files.push({ path: listPath("test", fold, level), key: testKey });
    }
    await createDocument(ctx.objects, SPLIT, id, { ...split, files });
    return undefined;
  },
});

async function listLines(
  ctx: SplitContext,
  patchSet: PatchSet,
  imageIds: readonly string[],
  level: number,
  progress: () => Promise<void>,
): Promise<Uint8Array> {
  const recordKey = new Map(patchSet.members.map((member) => [member.imageId, member.recordKey]));
  // Bytes image by image: the lines of a large cohort as strings would take ten times as much.
  const parts: Buffer[] = [];
  for (const imageId of imageIds) {
    const record = await readRecord(ctx.objects, ExtractRecord, recordKey.get(imageId) ?? "");
    const labels = record.levels.find((entry) => entry.level === level)?.labels ?? new Uint8Array();
    const lines = [...patchNames(imageId, labels)].map(({ name, label }) => `${name}\t${label}\n`);
    parts.push(Buffer.from(lines.join(""), "latin1"));
    await progress();
  }
  return Buffer.concat(parts);
}

/** Returns the worker that writes the two lists of a fold and level: patch name, tab, label. */
export const listWorker = (ctx: SplitContext): UnitHandler<ListTask> => ({
  topics: [LIST_TOPIC],
  members: 2,
  codec: ListTask,
  place: ({ fold, level }) => ({ fold, level }),
  handle: async ({ level, fold: number, trainKey, testKey, ...request }, unit) => {
    const { patchSet, split, id } = await splitOf(ctx, request);
    const part = split.folds.find(({ fold }) => fold === number);
    if (!part || listKeys(id, number, level).trainKey !== trainKey) {
      const message = "Cannot write lists: the job is of a version that deals folds by another rule; split again";
      throw new DomainError("failedPrecondition", "JOB_OUTDATED", message);
    }
    const { train, test } = part;
    await ctx.objects.put(trainKey, await listLines(ctx, patchSet, train, level, unit.progress), { ifAbsent: true });
    await ctx.objects.put(testKey, await listLines(ctx, patchSet, test, level, unit.progress), { ifAbsent: true });
    return Buffer.from("done");
  },
});
