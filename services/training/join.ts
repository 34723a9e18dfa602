/** @file One model of several trainings of a fold and level, which differ in their seed (lib/network/members.ts). */
import { DomainError } from "../lib/errors.ts";
import { readModel } from "../lib/network/model-contents.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import type { TrainTask } from "../lib/proto/radhical/v1/work.ts";
import { MODEL } from "../lib/service/document-kinds.ts";
import { readDocument, readRecord } from "../lib/service/documents.ts";
import type { UnitContext } from "../lib/service/jobs/worker.ts";
import { keepModel, type MakingContext, partsOf } from "./made-model.ts";
import { networkOf } from "./train.ts";

/** Joins the models of a task's trainings; returns the record of the one that they become. */
export async function joinUnit(ctx: MakingContext, task: TrainTask, unit: UnitContext): Promise<Uint8Array> {
  const { data, settings } = partsOf(task);
  if (task.memberRecords.length !== settings.members)
    throw new DomainError("dataLoss", "TASK_INCOMPLETE", "Cannot join other networks than the settings say");
  const members: Float32Array[] = [];
  const trainings: unknown[] = [];
  const speeds: number[] = [];
  for (const recordKey of task.memberRecords) {
    const { modelId, stepsPerSecond } = await readRecord(ctx.objects, Model, recordKey);
    const { key, manifest } = await readDocument(ctx.objects, MODEL, modelId);
    members.push(...readModel(await ctx.objects.get(key)).members);
    trainings.push(JSON.parse(manifest));
    // one that had only its last step left when it was begun again has none
    if (stepsPerSecond > 0) speeds.push(stepsPerSecond);
    await unit.progress();
  }
  return keepModel(ctx, task, unit, {
    contents: { network: networkOf(settings), members, channelMeans: Float32Array.from(data.channelMeans) },
    story: { trainings },
    stepsPerSecond: speeds.reduce((sum, speed) => sum + speed / speeds.length, 0),
  });
}
