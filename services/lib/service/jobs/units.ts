/** @file Units of work: what a job's plan is made of, and which of them are done. */
import type { ObjectStore } from "../../objects/object-store.ts";
import type { DeadLetter, Job } from "../../proto/radhical/v1/jobs.ts";
import { PlannedUnit, UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Message, Queue } from "../../queue/queue.ts";
import { type Codec, encode } from "../documents.ts";

/** Headers that tie a message to its job; the payload itself does not know the job, so its output does not either. */
export const UNIT_HEADERS = {
  job: "job",
  service: "job-service",
  life: "job-life",
  unit: "job-unit",
  output: "output-key",
} as const;

/** Returns a planned unit. `amount` is its share of the job's progress, default 1. */
export function planUnit<T>(unit: {
  readonly topic: string;
  readonly key: string;
  readonly codec: Codec<T>;
  readonly task: T;
  readonly outputKey: string;
  readonly amount?: number;
  readonly group?: string;
  readonly after?: string;
}): PlannedUnit {
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
/** Messages made at a time: a slide's tiles are many. */
const PUBLISHED_AT_ONCE = 10_000;

/** Publishes some units of a job, topic by topic and in parts; calls `progress` after each. */
export async function publishUnits(
  queue: Queue,
  job: Job,
  units: readonly PlannedUnit[],
  indices: readonly number[],
  progress: () => Promise<void>,
): Promise<void> {
  const byTopic = new Map<string, number[]>();
  for (const index of indices) {
    const { topic } = units[index]!;
    const own = byTopic.get(topic) ?? [];
    own.push(index);
    byTopic.set(topic, own);
  }
  for (const [topic, own] of byTopic) {
    for (let first = 0; first < own.length; first += PUBLISHED_AT_ONCE) {
      const part = own.slice(first, first + PUBLISHED_AT_ONCE);
      await queue.publish(
        topic,
        part.map((index) => unitMessage(job, units[index]!, index)),
      );
      await progress();
    }
  }
}

const folderOf = (key: string): string => key.slice(0, key.lastIndexOf("/") + 1);

/** Returns, unit by unit, whether its output exists. Units with outputs in one folder cost one listing; `progress` is called on the way. */
export async function findDoneUnits(
  objects: ObjectStore,
  units: readonly PlannedUnit[],
  progress: () => Promise<void>,
): Promise<Uint8Array> {
  const byFolder = new Map<string, Map<string, number[]>>();
  for (const [index, unit] of units.entries()) {
    const folder = folderOf(unit.outputKey);
    const keys = byFolder.get(folder) ?? new Map<string, number[]>();
    keys.set(unit.outputKey, [...(keys.get(unit.outputKey) ?? []), index]);
    byFolder.set(folder, keys);
  }
  const done = new Uint8Array(units.length);
  for (const [folder, keys] of byFolder) {
    await progress();
    if (keys.size === 1) {
      for (const [key, indices] of keys) if (await objects.head(key)) for (const index of indices) done[index] = 1;
      continue;
    }
    let listed = 0;
    for await (const { key } of objects.list(folder)) {
      if (++listed % LISTED_PER_SIGN === 0) await progress();
      for (const index of keys.get(key) ?? []) done[index] = 1;
    }
  }
  return done;
}
