/** @file Units of work: what a job's plan is made of, and which of them are done. */
import pLimit from "p-limit";
import type { ObjectStore } from "../../objects/object-store.ts";
import type { DeadLetter, Job } from "../../proto/radhical/v1/jobs.ts";
import { PlannedUnit, UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Message, Queue } from "../../queue/queue.ts";
import { type Codec, encode } from "../documents.ts";
import type { StoredPlan } from "./plan-store.ts";
import type { UnitTable } from "./unit-table.ts";

/** Headers that tie a message to its job; the payload itself does not know the job, so its output does not either. */
export const UNIT_HEADERS = {
  job: "job",
  service: "job-service",
  life: "job-life",
  unit: "job-unit",
  output: "output-key",
} as const;

/** A unit as a service plans it. */
export interface UnitPlan<T> {
  readonly topic: string;
  readonly key: string;
  readonly codec: Codec<T>;
  readonly task: T;
  readonly outputKey: string;
  /** Its share of the job's progress, default 1. */
  readonly amount?: number;
  /** The group that it is in, and the one that it waits for. */
  readonly group?: string;
  readonly after?: string;
}

/** Returns a planned unit. */
export function planUnit<T>(unit: UnitPlan<T>): PlannedUnit {
  return PlannedUnit.fromPartial({
    topic: unit.topic,
    key: unit.key,
    message: Buffer.from(encode(unit.codec, unit.task)),
    outputKey: unit.outputKey,
    amount: BigInt(unit.amount ?? 1),
    group: unit.group ?? "",
    after: unit.after ?? "",
  });
}

/** Returns the message of unit number `index` of a job. */
const unitMessage = ({ service, id, life }: Job, unit: PlannedUnit, index: number): Message => ({
  key: unit.key,
  value: unit.message,
  headers: {
    [UNIT_HEADERS.job]: id,
    [UNIT_HEADERS.service]: service,
    [UNIT_HEADERS.life]: String(life),
    [UNIT_HEADERS.unit]: String(index),
    [UNIT_HEADERS.output]: unit.outputKey,
  },
});

/** Returns the message of an event. */
export const eventMessage = (event: Partial<UnitEvent> & Pick<UnitEvent, "jobId" | "kind">): Message => ({
  key: event.jobId,
  value: encode(UnitEvent, UnitEvent.fromPartial(event)),
});

/** Returns the message that makes a coordinator look at a job: it is new, or somebody cancelled it. */
export const checkEvent = (jobId: string): Message =>
  eventMessage({ jobId, kind: UnitEventKind.UNIT_EVENT_KIND_CHECK });

/** Returns the message that makes a coordinator publish what a job in its new life still needs. */
export const replayEvent = (jobId: string): Message =>
  eventMessage({ jobId, kind: UnitEventKind.UNIT_EVENT_KIND_REPLAY });

/** Returns the message that tells a coordinator that a unit ended as a dead letter. */
export const deadEvent = (letter: DeadLetter, life: number): Message => {
  const { jobId, unit, topic, error: detail, attempts } = letter;
  return eventMessage({ jobId, kind: UnitEventKind.UNIT_EVENT_KIND_DEAD, unit, topic, detail, attempts, life });
};

/** A page of an S3 listing. */
const LISTED_PER_SIGN = 1000;
/** Folders asked for at a time: an answer takes a store some milliseconds, whatever it says. */
const FOLDERS_AT_ONCE = 8;

/** Publishes some units of a job, in order of their numbers, part by part of the plan and topic by topic; calls `progress` after each. */
export async function publishUnits(
  queue: Queue,
  job: Job,
  plan: StoredPlan,
  indices: readonly number[],
  progress: () => Promise<void>,
): Promise<void> {
  for await (const numbered of plan.pick(indices)) {
    const byTopic = new Map<string, Message[]>();
    for (const [index, unit] of numbered) {
      const messages = byTopic.get(unit.topic) ?? [];
      messages.push(unitMessage(job, unit, index));
      byTopic.set(unit.topic, messages);
    }
    for (const [topic, messages] of byTopic) {
      await queue.publish(topic, messages);
      await progress();
    }
  }
}

/** Returns, unit by unit, whether its output exists. Units with outputs in one folder cost one listing; `progress` is called on the way. */
export async function findDoneUnits(
  objects: ObjectStore,
  { count, outputs }: UnitTable,
  progress: () => Promise<void>,
): Promise<Uint8Array> {
  const done = new Uint8Array(count);
  const mark = (units: number | readonly number[] | undefined): void => {
    for (const unit of [units ?? []].flat()) done[unit] = 1;
  };
  await pLimit(FOLDERS_AT_ONCE).map(outputs, async ([folder, names]) => {
    await progress();
    if (names.size === 1) {
      for (const [name, units] of names) if (await objects.head(folder + name)) mark(units);
      return;
    }
    let listed = 0;
    for await (const { key } of objects.list(folder)) {
      if (++listed % LISTED_PER_SIGN === 0) await progress();
      mark(names.get(key.slice(folder.length)));
    }
  });
  return done;
}
