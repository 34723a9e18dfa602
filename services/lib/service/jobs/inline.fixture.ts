/** @file Runs a job's definition and workers in the test itself, without queue and coordinator: plan, every unit, finish. */
import type { ObjectStore } from "../../objects/object-store.ts";
import type { PlannedUnit } from "../../proto/radhical/v1/work.ts";
import type { JobDefinition } from "./job-definition.ts";
import type { UnitContext, UnitHandler } from "./worker.ts";

/** Computes one unit and stores its output, as a worker does. */
export async function runUnit<T>(
  objects: ObjectStore,
  worker: UnitHandler<T>,
  unit: PlannedUnit,
  { signal = new AbortController().signal, progress = async () => undefined }: Partial<UnitContext> = {},
): Promise<Uint8Array> {
  const context = { signal, outputKey: unit.outputKey, headers: {}, progress };
  const record = await worker.handle(worker.codec.decode(unit.message), context);
  if (!record) throw new Error(`unit "${unit.key}" was passed on`);
  await objects.put(unit.outputKey, record, { ifAbsent: true });
  return record;
}

/** Returns the id of the job's result and its note. */
export async function runInline<Request, T>(
  objects: ObjectStore,
  definition: JobDefinition<Request>,
  worker: UnitHandler<T>,
  request: Request,
): Promise<{ readonly id: string; readonly note: string | undefined; readonly units: readonly PlannedUnit[] }> {
  const { resultId, units: planned } = await definition.plan(request);
  const units = [...planned];
  for (const unit of units) await runUnit(objects, worker, unit);
  return { id: resultId, note: await definition.finish(request, resultId, units, async () => undefined), units };
}
