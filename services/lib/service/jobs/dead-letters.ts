/**
 * @file Dead letters in the object store: `jobs/<service>/<job id>/dead/<life>/<unit>` marks a unit, `dead-letters/<id>` holds a message that
 * belongs to no job. The topics forget after a while; the store does not.
 */
import { objectKey } from "../../objects/object-key.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { DeadLetter, type Job } from "../../proto/radhical/v1/jobs.ts";
import { OrphanLetter } from "../../proto/radhical/v1/work.ts";
import { DEAD_LETTER_HEADERS, type Delivery } from "../../queue/queue.ts";
import { contentId } from "../content-id.ts";
import { encode, readRecord } from "../documents.ts";

const ORPHANS = "dead-letters";

const deadPrefix = ({ service, id, life }: Job): string => `${objectKey("jobs", service, id, "dead", String(life))}/`;

/** Stores that a unit of a job is dead in the job's present life, so that every coordinator knows, and after a restart too. */
export async function putDeadUnit(objects: ObjectStore, job: Job, letter: DeadLetter): Promise<void> {
  await objects.put(`${deadPrefix(job)}${letter.unit}`, encode(DeadLetter, letter), { ifAbsent: true });
}

/** Yields the units of a job that are dead in its present life, in no order. */
export async function* listDeadUnits(objects: ObjectStore, job: Job): AsyncGenerator<DeadLetter> {
  for await (const { key } of objects.list(deadPrefix(job))) yield readRecord(objects, DeadLetter, key);
}

/** Returns the units of a job that are dead in its present life, by number. */
export async function findDeadUnits(objects: ObjectStore, job: Job): Promise<Map<number, DeadLetter>> {
  const dead = new Map<number, DeadLetter>();
  for await (const letter of listDeadUnits(objects, job)) dead.set(letter.unit, letter);
  return dead;
}

/** Returns what a dead letter's headers say of its end. */
export const endingOf = (headers: Delivery["headers"]) => ({
  topic: headers[DEAD_LETTER_HEADERS.topic] ?? "",
  error: headers[DEAD_LETTER_HEADERS.error] ?? "no reason given",
  attempts: Number(headers[DEAD_LETTER_HEADERS.attempts] ?? 0) || 0,
});

/** Keeps a dead letter that belongs to no job: nobody else will ask for it before its topic forgets it. */
export async function putOrphan(
  objects: ObjectStore,
  { key, value, headers }: Pick<Delivery, "key" | "value" | "headers">,
): Promise<void> {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const id = contentId(key, value, JSON.stringify(sorted));
  const letter = DeadLetter.fromPartial({ ...endingOf(headers), key, at: new Date() });
  const orphan = { letter, value: Buffer.from(value), headers: { ...headers } };
  await objects.put(objectKey(ORPHANS, id), encode(OrphanLetter, orphan), { ifAbsent: true });
}

/** Yields the dead letters that belong to no job. */
export async function* listOrphans(objects: ObjectStore): AsyncGenerator<DeadLetter> {
  for await (const { key } of objects.list(`${ORPHANS}/`)) {
    const { letter } = await readRecord(objects, OrphanLetter, key);
    if (letter) yield letter;
  }
}
