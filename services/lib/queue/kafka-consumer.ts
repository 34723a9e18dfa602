/** @file One member of a Kafka consumer group: partitions side by side, messages of a partition one after the other. */
import type { Admin, ConsumerConfig, EachBatchPayload, KafkaMessage } from "kafkajs";
import { DomainError } from "../errors.ts";
import { type DeliverContext, deliver, type InHand } from "./deliver.ts";
import { createKafkaAttempts, encodeAttempt, type KafkaAttempts } from "./kafka-attempts.ts";
import { createKafkaClient, type KafkaAddress, onBrokers, onFreshTopics } from "./kafka-client.ts";
import { type Membership, watchMembership } from "./kafka-membership.ts";
import type { KafkaNames } from "./kafka-names.ts";
import type { ConsumeOptions, Consumer, Message } from "./queue.ts";
import { type StallWatch, watchForStalls } from "./stall-watch.ts";

/**
 * kafkajs fetches again only when every fetched batch is through, and a batch may hold thousands of messages: after
 * this long a batch gives way, so that one partition's backlog does not keep new messages of the others waiting.
 */
const BATCH_SLICE_MS = 2000;
/** A member hears of a rebalance by its next heartbeat, and whoever joins waits for that. */
const MAX_HEARTBEAT_MS = 1000;
/** How long an empty fetch waits at the broker; `stop()` waits for it. */
const FETCH_WAIT_MS = 500;
/**
 * What a consumer holds of a backlog: it fetches so much from each broker, or one message that is larger, and fetches again only when all
 * of it has had its turn. What else is published waits at the brokers, so nothing has to be paused.
 */
const FETCH_BYTES = 2 ** 20;
const FETCH_PARTITION_BYTES = 2 ** 18;

export interface KafkaMemberOptions {
  readonly address: KafkaAddress;
  readonly admin: Pick<Admin, "fetchOffsets">;
  readonly names: KafkaNames;
  readonly sessionTimeoutMs: number;
  readonly stallMs: number | undefined;
  readonly context: DeliverContext;
}

const consumerOptions = (groupId: string, sessionTimeoutMs: number): ConsumerConfig => ({
  groupId,
  sessionTimeout: sessionTimeoutMs,
  heartbeatInterval: Math.min(MAX_HEARTBEAT_MS, Math.floor(sessionTimeoutMs / 10)),
  maxWaitTimeInMs: FETCH_WAIT_MS,
  maxBytes: FETCH_BYTES,
  maxBytesPerPartition: FETCH_PARTITION_BYTES,
  allowAutoTopicCreation: false,
});

/**
 * Starts a member of the group and returns it once it has joined. Throws unavailable (QUEUE_UNAVAILABLE).
 * Offsets are committed one message at a time: the current one with its attempt before the handler starts, the next
 * one when the handler has returned or the dead letter is confirmed.
 */
export async function startKafkaMember(member: KafkaMemberOptions, options: ConsumeOptions): Promise<Consumer> {
  const { address, names, sessionTimeoutMs } = member;
  const groupId = names.of(options.group);
  const consumer = createKafkaClient(address).consumer(consumerOptions(groupId, sessionTimeoutMs));
  const attempts = createKafkaAttempts(member.admin, groupId);
  const membership = watchMembership(consumer, Math.floor(sessionTimeoutMs / 3), attempts.forget);
  const running = new Set<Promise<void>>();
  let stopping = false;
  let crash: Error | undefined;
  let reportCrash: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    reportCrash = resolve;
  });
  const stalls = watchForStalls(member.stallMs, reportCrash, member.context.log);
  consumer.on("consumer.crash", ({ payload: { error, restart } }) => {
    membership.abortAll(error);
    if (restart) return;
    crash = new DomainError("unavailable", "QUEUE_CONSUMER_FAILED", `Cannot go on consuming as group "${groupId}"`, {
      cause: error,
    });
    reportCrash(crash);
  });

  const eachBatch = async (payload: EachBatchPayload) => {
    const mayGoOn = () => !stopping && !membership.mustRejoin() && payload.isRunning() && !payload.isStale();
    const work = handleBatch(payload, { mayGoOn, attempts, membership, names, stalls }, options, member.context);
    const settled = work.catch(() => undefined);
    running.add(settled);
    await work.finally(() => running.delete(settled));
  };

  await onBrokers(`consume as group "${groupId}"`, address.brokers, async () => {
    try {
      await consumer.connect();
      await onFreshTopics(() => consumer.subscribe({ topics: options.topics.map(names.of), fromBeginning: true }));
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: options.concurrency ?? 1,
        eachBatch,
      });
      // kafkajs reports a join that failed for good as a crash, and `run` returns.
      if (crash !== undefined) throw crash;
    } catch (thrown) {
      await consumer.disconnect();
      throw thrown;
    }
  });

  const stop = async () => {
    stopping = true;
    stalls.stop();
    membership.abortAll(new Error("the consumer stops"));
    // Handlers first: they may still commit, which kafkajs refuses to a member that has left.
    await Promise.all(running);
    await consumer.disconnect();
  };
  let stopped: Promise<void> | undefined;
  return {
    failed,
    stop: () => {
      stopped ??= onBrokers(`leave group "${groupId}"`, address.brokers, stop);
      return stopped;
    },
  };
}

interface BatchContext {
  readonly mayGoOn: () => boolean;
  readonly attempts: KafkaAttempts;
  readonly membership: Membership;
  readonly names: KafkaNames;
  readonly stalls: StallWatch;
}

/** Handles messages of a batch in order; what it leaves unresolved is fetched again. */
async function handleBatch(
  payload: EachBatchPayload,
  { mayGoOn, attempts, membership, names, stalls }: BatchContext,
  options: ConsumeOptions,
  context: DeliverContext,
): Promise<void> {
  const { topic, partition, messages } = payload.batch;
  const startedMs = Date.now();
  for (const message of messages) {
    const tally = await attempts.tallyOf(topic, partition, message.offset);
    // Asked after the last await before the hold: from there on, stop() finds the delivery and aborts it.
    if (!mayGoOn() || Date.now() - startedMs > BATCH_SLICE_MS) return;
    const { signal, end } = membership.hold(topic, partition);
    const decoded = decodeMessage(message);
    const held = stalls.hold({ topic: names.without(topic), key: decoded.key });
    try {
      const beat = () => {
        held.advance();
        return membership.beat(payload.heartbeat);
      };
      const inHand: InHand = {
        topic: names.without(topic),
        message: decoded,
        tally,
        signal,
        record: (starts) => commit(payload, message.offset, encodeAttempt(message.offset, starts)),
        heartbeat: beat,
        commit: () => commit(payload, (BigInt(message.offset) + 1n).toString(), null),
      };
      if ((await deliver(inHand, options, context)) === "released") return;
      payload.resolveOffset(message.offset);
      await beat();
    } finally {
      held.end();
      end();
    }
  }
}

/** Commits by the batch's own function, whose errors keep the type by which kafkajs knows that it has to rejoin. */
async function commit(payload: EachBatchPayload, offset: string, metadata: string | null): Promise<void> {
  const { topic, partition } = payload.batch;
  const partitions = [{ partition, offset, metadata }];
  await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions }] });
}

function decodeMessage({ key, value, headers }: KafkaMessage): Message {
  const bytes = value ?? Buffer.alloc(0);
  const decoded: Record<string, string> = {};
  for (const [name, held] of Object.entries(headers ?? {})) {
    const last = Array.isArray(held) ? held.at(-1) : held;
    if (last !== undefined) decoded[name] = last.toString();
  }
  return {
    key: key?.toString() ?? "",
    value: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    headers: decoded,
  };
}
