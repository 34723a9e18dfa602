/** @file What both adapters do with one message in hand: attempts, retries, dead letters, and only then the commit. */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { DomainError } from "../errors.ts";
import { failureType, startSpan } from "../telemetry/spans.ts";
import { inTraceOf } from "../telemetry/trace-context.ts";
import { countDeadLetter, countRetry } from "./events.ts";
import {
  type ConsumeOptions,
  DEAD_LETTER_HEADERS,
  type Delivery,
  deadLetterTopic,
  LAST_ATTEMPT,
  type Message,
  type Queue,
  type QueueLog,
} from "./queue.ts";

const DEFAULT_RETRIES = 4;
const DEFAULT_BACKOFF_MS = 250;
/** The longest wait for a retry, if the adapter knows no reason for less. */
const MAX_BACKOFF_MS = 10_000;
/** An error's message may quote what it choked on; a dead letter has to stay below the size limit. */
const MAX_ERROR_CHARACTERS = 2000;

/** Starts of a message that ended in the death of the worker; saved progress sets it to 0. */
export interface Tally {
  deaths: number;
}

/** One message an adapter hands out. */
export interface InHand {
  readonly topic: string;
  readonly message: Message;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  /** Writes the number of starts where it outlives the process. */
  record(starts: number): Promise<void>;
  /** Tells the broker that this member lives; never rejects. */
  heartbeat(): Promise<void>;
  /** Marks the message as done for the group. */
  commit(): Promise<void>;
}

/** What delivering needs besides the message. */
export interface DeliverContext {
  readonly publish: Queue["publish"];
  readonly log?: QueueLog | undefined;
  /** Nothing tells a broker that a member lives while a handler waits for its retry. */
  readonly maxBackoffMs?: number;
}

/** Carries whatever a handler threw past p-retry, which takes a TypeError or a non-error for a bug in its own use. */
class HandlerFailure extends Error {
  override readonly name = "HandlerFailure";
}

type Ending =
  | { readonly kind: "finished" }
  | { readonly kind: "aborted" }
  | { readonly kind: "failed"; readonly error: unknown; readonly calls: number };

/**
 * Returns "done" if the message was committed, by its handler or as a dead letter, and "released" if it has to be
 * delivered again: the consumer stops, the partition is lost, or the dead letter could not be published.
 * Rejects only if `record` or `commit` does; the message has to be delivered again then too.
 * All of it is done in the trace that the message's headers name.
 */
export const deliver = (
  inHand: InHand,
  options: ConsumeOptions,
  context: DeliverContext,
): Promise<"done" | "released"> =>
  inTraceOf(inHand.message.headers ?? {}, () => deliverInTrace(inHand, options, context));

async function deliverInTrace(
  inHand: InHand,
  options: ConsumeOptions,
  context: DeliverContext,
): Promise<"done" | "released"> {
  const { tally, signal } = inHand;
  if (signal.aborted) return "released";
  if (tally.deaths + 1 >= LAST_ATTEMPT) {
    return bury(inHand, options, context, new Error(`worker died ${tally.deaths} times`), tally.deaths);
  }
  const attempt = tally.deaths + 1;
  await inHand.record(attempt);
  const ending = await runHandler(inHand, options, attempt, context.maxBackoffMs ?? MAX_BACKOFF_MS);
  switch (ending.kind) {
    case "finished":
      await inHand.commit();
      return "done";
    case "aborted":
      await inHand.record(tally.deaths);
      return "released";
    case "failed":
      return bury(inHand, options, context, ending.error, attempt - 1 + ending.calls);
    default: {
      const unreachable: never = ending;
      return unreachable;
    }
  }
}

async function runHandler(
  inHand: InHand,
  options: ConsumeOptions,
  attempt: number,
  maxBackoffMs: number,
): Promise<Ending> {
  const { signal } = inHand;
  const { isRetryable = isUnavailable } = options;
  let calls = 0;
  let finished = false;
  let over = false;
  let hasSaved = false;
  const onSaved = (): void => {
    hasSaved = true;
  };
  const delivery = deliveryOf(inHand, attempt, () => over, onSaved);
  const call = async () => {
    if (calls > 0) countRetry({ topic: inHand.topic, group: options.group });
    calls += 1;
    try {
      await options.handle(delivery);
    } catch (thrown) {
      throw new HandlerFailure("handler failed", { cause: thrown });
    }
    finished = true;
  };
  const firstWaitMs = Math.min(options.backoffMs ?? DEFAULT_BACKOFF_MS, maxBackoffMs);
  try {
    // Work of hours meets a failure now and then: saved progress begins the count anew, so that only failures without it add up.
    for (;;) {
      hasSaved = false;
      try {
        await pRetry(call, {
          retries: options.retries ?? DEFAULT_RETRIES,
          minTimeout: firstWaitMs,
          maxTimeout: maxBackoffMs,
          signal,
          shouldRetry: ({ error }) => !hasSaved && isRetryable(error.cause),
          onFailedAttempt: () => inHand.heartbeat(),
        });
        return { kind: "finished" };
      } catch (thrown) {
        // A handler that finished while the consumer stops has still finished: its message needs no second delivery.
        if (finished) return { kind: "finished" };
        if (signal.aborted) return { kind: "aborted" };
        const error = thrown instanceof HandlerFailure ? thrown.cause : thrown;
        if (!hasSaved || !isRetryable(error)) return { kind: "failed", error, calls };
      }
      await pause(firstWaitMs, signal);
    }
  } finally {
    over = true;
  }
}

const deliveryOf = (inHand: InHand, attempt: number, isOver: () => boolean, onSaved: () => void): Delivery => ({
  topic: inHand.topic,
  key: inHand.message.key,
  value: inHand.message.value,
  headers: inHand.message.headers ?? {},
  attempt,
  signal: inHand.signal,
  progress: async ({ saved = false } = {}) => {
    // A call that comes after the handler's end must not write an attempt over the commit.
    if (isOver()) return;
    await inHand.heartbeat();
    if (!saved || isOver()) return;
    onSaved();
    inHand.tally.deaths = 0;
    await inHand.record(0);
  },
});

/** Publishes the dead letter, and commits only once that is confirmed. */
async function bury(
  inHand: InHand,
  options: ConsumeOptions,
  { publish, log }: DeliverContext,
  error: unknown,
  attempts: number,
): Promise<"done" | "released"> {
  const { topic, message, tally, signal } = inHand;
  const headers = {
    ...message.headers,
    [DEAD_LETTER_HEADERS.error]: textOf(error).slice(0, MAX_ERROR_CHARACTERS),
    [DEAD_LETTER_HEADERS.topic]: topic,
    [DEAD_LETTER_HEADERS.attempts]: String(attempts),
  };
  const span = startSpan("dead letter", { kind: "producer", attributes: { "radhical.topic": topic } });
  try {
    await span.run(() => publish(deadLetterTopic(topic), [{ key: message.key, value: message.value, headers }]));
  } catch (thrown) {
    span.end(failureType(thrown));
    log?.error({ err: thrown, topic, group: options.group }, "cannot publish dead letter, delivering again");
    await inHand.record(tally.deaths);
    await pause(options.backoffMs ?? DEFAULT_BACKOFF_MS, signal);
    return "released";
  }
  span.end(failureType(error));
  countDeadLetter({ topic, group: options.group });
  log?.warn({ err: error, topic, group: options.group, attempts }, "dead letter");
  await inHand.commit();
  return "done";
}

/** Resolves after the time, or at once when the signal aborts; never rejects. */
export const pause = (timeMs: number, signal: AbortSignal): Promise<void> =>
  sleep(timeMs, undefined, { signal }).catch(() => undefined);

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const isUnavailable = (error: unknown): boolean => error instanceof DomainError && error.kind === "unavailable";
