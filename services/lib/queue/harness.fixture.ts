/** @file What the contract suite needs of an adapter, and how its tests watch a consumer. */
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type ConsumeOptions, type Consumer, type Delivery, deadLetterTopic, type Queue } from "./queue.ts";

/** One adapter under test. */
export interface QueueHarness {
  readonly adapter: "in-process" | "kafka";
  /** Opens a queue that is closed after the test. */
  open(t: TestContext, options?: { readonly stallMs?: number }): Promise<Queue>;
  /** Makes topics as a deployment's administrator does, before a queue asks for them; nothing in process. */
  provision(topics: readonly string[]): Promise<void>;
  /** Returns what another process needs to open the queue: a folder or the brokers. */
  place(t: TestContext): Promise<string>;
}

/** Before every name on a broker that these tests share with others. */
export const CONTRACT_PREFIX = "contract";

/** Longest wait for anything in the suite; a Kafka rebalance takes up to a session timeout. */
const PATIENCE_MS = 20_000;

/** Returns a name no other test uses. */
export const unique = (name: string): string => `${name}-${randomUUID().slice(0, 8)}`;

/** Returns a queue with one new topic. */
export async function openWithTopic(harness: QueueHarness, t: TestContext): Promise<{ queue: Queue; topic: string }> {
  const queue = await harness.open(t);
  const topic = unique("contract");
  await harness.provision([topic]);
  await queue.requireTopics([topic]);
  return { queue, topic };
}

/** Resolves when the condition holds; throws after PATIENCE_MS. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = Date.now() + PATIENCE_MS;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`waited ${PATIENCE_MS} ms in vain for ${what}`);
    await sleep(5);
  }
}

/** Starts a consumer whose deliveries are noted before `handle` gets them. */
export async function watch(
  queue: Queue,
  topic: string,
  options: Partial<ConsumeOptions> = {},
): Promise<{ seen: Delivery[]; consumer: Consumer; group: string }> {
  const seen: Delivery[] = [];
  const group = options.group ?? unique("group");
  const handle = async (delivery: Delivery) => {
    seen.push(delivery);
    await options.handle?.(delivery);
  };
  const consumer = await queue.consume({ topics: [topic], backoffMs: 5, ...options, group, handle });
  return { seen, consumer, group };
}

/** Starts a consumer of the topic's dead letters. */
export const watchDeadLetters = (queue: Queue, topic: string) => watch(queue, deadLetterTopic(topic));

/** Returns a message with this text as its value. */
export const message = (key: string, text: string, headers?: Readonly<Record<string, string>>) => ({
  key,
  value: new TextEncoder().encode(text),
  ...(headers === undefined ? {} : { headers }),
});

/** Returns a delivery's value as text. */
export const textOf = ({ value }: Delivery): string => new TextDecoder().decode(value);

/** Returns when the signal aborts: the handler of a worker that listens. */
export const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
