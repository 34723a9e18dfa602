/** @file A job's plan in the object store: parts of about a mebibyte, so that no process ever holds all units of a large job. */
import { LRUCache } from "lru-cache";
import type { ObjectStore } from "../../objects/object-store.ts";
import { JobPlan, type PlannedUnit, PlanPart } from "../../proto/radhical/v1/work.ts";
import { contentId } from "../content-id.ts";
import { encode } from "../documents.ts";

/** Of units in one part, about. A unit of the cascade takes 600 bytes. */
const PART_BYTES = 2 ** 20;
/** Units that become due are near each other mostly: those of the images that are being worked on. */
const PARTS_IN_MEMORY = 4;
/** Room for a unit's own fields, generously. */
const UNIT_OVERHEAD_BYTES = 32;

const partKey = (key: string, id: string): string => `${key}-${id}`;

/** Yields units in parts; none for no units. */
function* inParts(units: Iterable<PlannedUnit>, partBytes: number): Iterable<PlannedUnit[]> {
  let part: PlannedUnit[] = [];
  let bytes = 0;
  for (const unit of units) {
    const { topic, key, message, outputKey, group, after } = unit;
    part.push(unit);
    bytes += message.length + topic.length + key.length + outputKey.length + group.length + after.length;
    bytes += UNIT_OVERHEAD_BYTES;
    if (bytes < partBytes) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

/**
 * Stores a plan; if its key has one already, that one stays. Units are taken one by one, and what taking them throws is thrown on: there
 * is no plan then. The plan itself comes last, and names its parts by their content, so that parts of two writers never mix.
 */
export async function putPlan(
  objects: ObjectStore,
  key: string,
  { request, units }: { readonly request: Uint8Array; readonly units: Iterable<PlannedUnit> },
  partBytes = PART_BYTES,
): Promise<void> {
  let first: readonly PlannedUnit[] | undefined;
  const moreParts: JobPlan["moreParts"] = [];
  for (const part of inParts(units, partBytes)) {
    if (!first) {
      first = part;
      continue;
    }
    const bytes = encode(PlanPart, { units: part });
    const id = contentId(bytes);
    await objects.put(partKey(key, id), bytes, { ifAbsent: true });
    moreParts.push({ id, units: part.length });
  }
  const plan = { units: [...(first ?? [])], request: Buffer.from(request), moreParts };
  await objects.put(key, encode(JobPlan, plan), { ifAbsent: true });
}

/** A unit of a plan with its number. */
export type NumberedUnit = readonly [index: number, unit: PlannedUnit];

/** A plan to read units from, in order and part by part; the last few parts stay in memory. */
export class StoredPlan {
  readonly request: Uint8Array;
  readonly count: number;
  readonly #objects: ObjectStore;
  readonly #key: string;
  readonly #parts: readonly { readonly id: string; readonly start: number; readonly end: number }[];
  readonly #read = new LRUCache<string, Promise<readonly PlannedUnit[]>>({ max: PARTS_IN_MEMORY });
  readonly #first: readonly PlannedUnit[];

  constructor(objects: ObjectStore, key: string, { units, request, moreParts }: JobPlan) {
    this.#objects = objects;
    this.#key = key;
    this.request = request;
    this.#first = units;
    let end = units.length;
    const parts = [{ id: "", start: 0, end }];
    for (const { id, units: count } of moreParts) {
      parts.push({ id, start: end, end: end + count });
      end += count;
    }
    this.#parts = parts;
    this.count = end;
  }

  /** First and past-the-last number of the units of each part. */
  get parts(): readonly { readonly start: number; readonly end: number }[] {
    return this.#parts;
  }

  /** Yields all units. */
  async *[Symbol.asyncIterator](): AsyncGenerator<PlannedUnit, void, undefined> {
    for (const { id } of this.#parts) yield* await this.#open(id);
  }

  /** Yields the units of these numbers, which ascend, as many at a time as come from one part. */
  async *pick(indices: readonly number[]): AsyncGenerator<NumberedUnit[], void, undefined> {
    let at = 0;
    for (const { id, start, end } of this.#parts) {
      const from = at;
      while (at < indices.length && indices[at]! < end) at++;
      if (at === from) continue;
      const units = await this.#open(id);
      yield indices.slice(from, at).map((index) => [index, units[index - start]!]);
    }
  }

  #open(id: string): Promise<readonly PlannedUnit[]> {
    if (id === "") return Promise.resolve(this.#first);
    const known = this.#read.get(id);
    if (known) return known;
    const reading = this.#objects.get(partKey(this.#key, id)).then((bytes) => PlanPart.decode(bytes).units);
    this.#read.set(id, reading);
    reading.catch(() => this.#read.delete(id));
    return reading;
  }
}

/** Returns a plan. Throws OBJECT_NOT_FOUND. */
export async function openPlan(objects: ObjectStore, key: string): Promise<StoredPlan> {
  return new StoredPlan(objects, key, JobPlan.decode(await objects.get(key)));
}
