/** @file Workers: take a unit's message, skip it if its output exists, otherwise compute, store the output, tell, acknowledge. */
import { DomainError } from "../../errors.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { type UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Delivery, Queue } from "../../queue/queue.ts";
import type { Codec } from "../documents.ts";
import { type Part, startTogether } from "../lifecycle.ts";
import type { Logger } from "../log.ts";
import { eventsTopic } from "../topics.ts";
import { cancellable } from "./cancellation.ts";
import { readMessage, unreadable } from "./read-message.ts";
import { eventMessage, UNIT_HEADERS } from "./units.ts";

/** Some half a minute: a store or a broker that starts anew must not cost a job its units. */
const RETRIES = 8;

/** What a handler needs besides its task. */
export interface UnitContext {
  readonly signal: AbortSignal;
  readonly outputKey: string;
  /** Headers to publish a further message of the same unit with. */
  readonly headers: Readonly<Record<string, string>>;
  /** Says that work advances: `amount` of the unit's amount is done. `saved`: a restart will not begin before here. */
  progress(step?: { readonly amount?: number; readonly detail?: string; readonly saved?: boolean }): Promise<void>;
}

/** How one kind of unit is computed. */
export interface UnitHandler<T> {
  readonly topics: readonly string[];
  /** Consumers in this process, each with one message at a time: on Kafka a long unit would idle a consumer's other slots. */
  readonly members: number;
  readonly codec: Codec<T>;
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
  const isDone = async (): Promise<boolean> => (await ctx.objects.head(outputKey)) !== undefined;
  if (!(await isDone())) {
    try {
      const record = await compute(ctx, handler, { task, outputKey }, delivery);
      if (!record) return;
      await ctx.objects.put(outputKey, record, { ifAbsent: true });
    } catch (error) {
      // Another may have finished the unit, and its job removed what this one was about to read.
      if (delivery.signal.aborted || !(await isDone().catch(() => false))) throw error;
    }
  }
  await tell(ctx, delivery, { kind: UnitEventKind.UNIT_EVENT_KIND_DONE });
}

/** Returns the unit's record; undefined if another message carries it on, or nobody wants it any more. */
function compute<T>(
  ctx: WorkerContext,
  handler: UnitHandler<T>,
  { task, outputKey }: { readonly task: T; readonly outputKey: string },
  delivery: Delivery,
): Promise<Uint8Array | undefined> {
  const job = { service: delivery.headers[UNIT_HEADERS.service] ?? "", id: delivery.headers[UNIT_HEADERS.job] ?? "" };
  return cancellable(ctx.objects, job, delivery.signal, (signal) =>
    handler.handle(task, {
      signal,
      outputKey,
      headers: delivery.headers,
      progress: async ({ amount, detail, saved } = {}) => {
        await delivery.progress(saved ? { saved } : {});
        if (amount === undefined && detail === undefined) return;
        const kind = UnitEventKind.UNIT_EVENT_KIND_PROGRESS;
        await tell(ctx, delivery, { kind, amount: BigInt(amount ?? 0), detail: detail ?? "" });
      },
    }),
  );
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
