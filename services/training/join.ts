/** @file One model of several trainings of a fold and level, which differ in their seed (lib/network/members.ts). */
import { DomainError } from "../lib/errors.ts";
import { readModel } from "../lib/network/model-contents.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import type { JoinTask } from "../lib/proto/radhical/v1/work.ts";
import type { Runtime } from "../lib/runtime/runtime.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { readDocument, readRecord } from "../lib/service/documents.ts";
import type { UnitContext } from "../lib/service/jobs/worker.ts";
import { keepModel, partsOf } from "./made-model.ts";
import { networkOf } from "./train.ts";
import { readRecords } from "./training-records.ts";

/** Joins the models that a task names; returns the record of the one that they become. */
export async function joinUnit(
  ctx: { readonly objects: ObjectStore; runtime(): Promise<Runtime> },
  { task, recordKeys }: JoinTask,
  unit: UnitContext,
): Promise<Uint8Array> {
  if (!task) throw new DomainError("dataLoss", "TASK_INCOMPLETE", "Cannot join models without a task");
  const { data, settings } = partsOf(task);
  const members: Float32Array[] = [];
  const manifests: unknown[] = [];
  let stepsPerSecond = 0;
  for (const recordKey of recordKeys) {
    const record = await readRecord(ctx.objects, Model, recordKey);
    const { key, manifest } = await readDocument(ctx.objects, MODEL, record.modelId);
    members.push(...readModel(await ctx.objects.get(key)).members);
    manifests.push(JSON.parse(manifest));
    stepsPerSecond += record.stepsPerSecond / recordKeys.length;
    await unit.progress();
  }
  return keepModel(ctx, task, unit, {
    contents: { network: networkOf(settings), members, channelMeans: Float32Array.from(data.channelMeans) },
    test: await readRecords(ctx.objects, data.test, unit.progress),
    story: { members: manifests },
    stepsPerSecond,
  });
}
