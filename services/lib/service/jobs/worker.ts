/** @file Workers: take a unit's message, skip it if its output exists, otherwise compute, store the output, tell, acknowledge. */
import { DomainError } from "../../errors.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { type UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Delivery, Queue } from "../../queue/queue.ts";
import type { Codec } from "../documents.ts";
import type { UnitOutcome } from "../events.ts";
import { type Part, startTogether } from "../lifecycle.ts";
import type { Logger } from "../log.ts";
import { eventsTopic } from "../topics.ts";
import { cancellable } from "./cancellation.ts";
import { readMessage, unreadable } from "./read-message.ts";
import { type Place, tracedUnit } from "./traced-unit.ts";
import { eventMessage, UNIT_HEADERS } from "./units.ts";

/** Some half a minute: a store or a broker that starts anew must not cost a job its units. */
const RETRIES = 8;

/** What a handler needs besides its task. */
export interface UnitContext {
  readonly signal: AbortSignal;
  readonly outputKey: string;
  /** Headers to publish a further message of the same unit with. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Says that work advances: `amount` of the unit's amount is done. `saved`: a restart will not begin before here. Throws the signal's
   * reason once that has aborted, so that work which reports its progress ends soon after.
   */
  progress(step?: { readonly amount?: number; readonly detail?: string; readonly saved?: boolean }): Promise<void>;
}

/** How one kind of unit is computed. */
export interface UnitHandler<T> {
  readonly topics: readonly string[];
  /** Consumers in this process, each with one message at a time: on Kafka a long unit would idle a consumer's other slots. */
  readonly members: number;
  readonly codec: Codec<T>;
  /** Level and fold of a task that has them, for traces and metrics. */
  readonly place?: (task: T) => Place;
  /** Returns the record to store under the output key, or undefined if another message carries the unit on. */
  readonly handle: (task: T, unit: UnitContext) => Promise<Uint8Array | undefined>;
}

interface WorkerContext {
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly log: Logger;
}

async function tell(ctx: WorkerContext, { headers }: Delivery, event: Pick<UnitEvent, "kind"> & Partial<UnitEvent>) {
  const jobId = headers[UNIT_HEADERS.job] ?? "";
  const message = eventMessage({ jobId, unit: Number(headers[UNIT_HEADERS.unit]), ...event });
  await ctx.queue.publish(eventsTopic(headers[UNIT_HEADERS.service] ?? ""), [message]);
}

async function handleUnit<T>(ctx: WorkerContext, handler: UnitHandler<T>, delivery: Delivery): Promise<void> {
  const task = readMessage(handler.codec, delivery);
  const outputKey = delivery.headers[UNIT_HEADERS.output];
  if (outputKey === undefined) throw unreadable(delivery, "its headers name no unit");
  await tracedUnit(delivery, handler.place?.(task) ?? {}, async () => {
    const ending = await finishUnit(ctx, handler, { task, outputKey }, delivery);
    if (ending === "done" || ending === "skipped")
      await tell(ctx, delivery, { kind: UnitEventKind.UNIT_EVENT_KIND_DONE });
    return ending;
  });
}

interface Unit<T> {
  readonly task: T;
  readonly outputKey: string;
}

/** Sees to it that the unit's output exists, unless another message carries the unit on or nobody wants it any more. */
async function finishUnit<T>(
  ctx: WorkerContext,
  handler: UnitHandler<T>,
  unit: Unit<T>,
  delivery: Delivery,
): Promise<UnitOutcome> {
  const isDone = async (): Promise<boolean> => (await ctx.objects.head(unit.outputKey)) !== undefined;
  if (await isDone()) return "skipped";
  try {
    const computed = await compute(ctx, handler, unit, delivery);
    if (!computed) return "cancelled";
    if (!computed.record) return "passed-on";
    await ctx.objects.put(unit.outputKey, computed.record, { ifAbsent: true });
    return "done";
  } catch (error) {
    // Another may have finished the unit, and its job removed what this one was about to read.
    if (delivery.signal.aborted || !(await isDone().catch(() => false))) throw error;
    return "skipped";
  }
}

/** Returns the unit's record, which is undefined if another message carries it on; undefined if nobody wants it any more. */
function compute<T>(
  ctx: WorkerContext,
  handler: UnitHandler<T>,
  { task, outputKey }: Unit<T>,
  delivery: Delivery,
): Promise<{ readonly record: Uint8Array | undefined } | undefined> {
  const job = { service: delivery.headers[UNIT_HEADERS.service] ?? "", id: delivery.headers[UNIT_HEADERS.job] ?? "" };
  return cancellable(ctx.objects, job, delivery.signal, async (signal) => ({
    record: await handler.handle(task, {
      signal,
      outputKey,
      headers: delivery.headers,
      progress: async ({ amount, detail, saved } = {}) => {
        signal.throwIfAborted();
        await delivery.progress(saved ? { saved } : {});
        if (amount === undefined && detail === undefined) return;
        const kind = UnitEventKind.UNIT_EVENT_KIND_PROGRESS;
        await tell(ctx, delivery, { kind, amount: BigInt(amount ?? 0), detail: detail ?? "" });
      },
    }),
  }));
}

/** Starts the consumers of a kind of unit; `group` is the service's name, or finer where members subscribe differently. */
export async function startWorker<T>(ctx: WorkerContext, group: string, handler: UnitHandler<T>): Promise<Part> {
  const handle = (delivery: Delivery): Promise<void> =>
    handleUnit(ctx, handler, delivery).catch((error: unknown) => {
      // An expected failure becomes the job's reason; of a bug the caller is told nothing, and the log everything.
      if (error instanceof DomainError || delivery.signal.aborted) throw error;
      ctx.log.error({ err: error, topic: delivery.topic, headers: delivery.headers }, "bug in worker");
      throw new Error("internal error", { cause: error });
    });
  const options = { topics: handler.topics, group, concurrency: 1, retries: RETRIES, handle };
  // Together: on Kafka every join makes the whole group wait for its members' next heartbeats.
  const consumers = await startTogether(Array.from({ length: handler.members }, () => ctx.queue.consume(options)));
  const stop = async (): Promise<void> => {
    await Promise.all(consumers.map((consumer) => consumer.stop()));
  };
  const failed = Promise.race(consumers.map((consumer) => consumer.failed));
  return { name: `workers of ${handler.topics.join(", ")}`, failed, stop };
}
