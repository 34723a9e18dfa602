/** @file The queue port on Kafka, by kafkajs; nothing outside this folder knows it. */
import { type Kafka, Partitioners, type Producer } from "kafkajs";
import { fetchBacklog } from "./kafka-backlog.ts";
import { createKafkaClient, type KafkaAddress, onBrokers } from "./kafka-client.ts";
import { startKafkaMember } from "./kafka-consumer.ts";
import { DEFAULT_PREFIX, kafkaNames } from "./kafka-names.ts";
import type { ConsumeOptions, Consumer, Message, Queue } from "./queue.ts";
import {
  checkSizes,
  closedQueue,
  inActiveTrace,
  placesOf,
  topicsMissing,
  unknownTopic,
  withDeadLetterTopics,
} from "./rules.ts";

const DEFAULT_SESSION_TIMEOUT_MS = 30_000;
/** A request's messages for a partition travel as one batch, which has to stay below the broker's 1 MiB. */
const MAX_REQUEST_BYTES = 1_000_000;
/** Room for a record's own fields, generously. */
const RECORD_OVERHEAD_BYTES = 64;

export interface KafkaQueueOptions extends KafkaAddress {
  /** Put before the name of every topic and group; default "radhical". */
  readonly prefix?: string;
  /** A worker that says nothing for this long is taken for dead; the brokers allow 6 s to 30 min. Default 30 s. */
  readonly sessionTimeoutMs?: number;
  /** A consumer whose work in hand says nothing for this long fails (`Consumer.failed`); undefined: never. */
  readonly stallMs?: number;
}

/**
 * Opens a queue on Kafka and connects to it. Throws failedPrecondition (QUEUE_DENIED, QUEUE_UNTRUSTED) naming the settings to look at,
 * unavailable (QUEUE_UNAVAILABLE) naming the brokers.
 */
export async function openKafkaQueue(options: KafkaQueueOptions): Promise<Queue> {
  const { brokers, log } = options;
  const kafka = createKafkaClient(options);
  const admin = kafka.admin();
  const producing = createSender(kafka);
  const known = new Set<string>();
  const members = new Map<Consumer, ConsumeOptions>();
  let closed = false;

  const names = kafkaNames(options.prefix ?? DEFAULT_PREFIX);

  const refreshTopics = async () => {
    for (const topic of await admin.listTopics()) known.add(topic);
  };
  const missingOf = async (topics: readonly string[]): Promise<readonly string[]> => {
    if (topics.some((topic) => !known.has(names.of(topic)))) await refreshTopics();
    return topics.filter((topic) => !known.has(names.of(topic)));
  };
  const requireTopic = async (action: string, topic: string) => {
    if (closed) throw closedQueue(action.replace(/ (to|from)$/, ""));
    if ((await missingOf([topic])).length > 0) throw unknownTopic(action, topic);
  };

  await onBrokers("open queue", brokers, async () => {
    try {
      await admin.connect();
      await refreshTopics();
    } catch (thrown) {
      await admin.disconnect();
      throw thrown;
    }
  });

  const queue: Queue = {
    requireTopics: (topics) =>
      onBrokers(`use topics "${topics.join(",")}"`, brokers, async () => {
        const missing = await missingOf(withDeadLetterTopics(topics));
        if (missing.length > 0) throw topicsMissing(missing.map(names.of));
      }),
    publish: (topic, messages) =>
      onBrokers(`publish to topic "${topic}"`, brokers, async () => {
        await requireTopic("publish to", topic);
        checkSizes(topic, messages);
        for (const part of inRequests(inActiveTrace(messages))) await producing.send(names.of(topic), part);
      }),
    consume: (consumeOptions) =>
      onBrokers(`consume as group "${consumeOptions.group}"`, brokers, async () => {
        for (const topic of consumeOptions.topics) await requireTopic("consume from", topic);
        const sessionTimeoutMs = options.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
        const context = { publish: queue.publish, log, maxBackoffMs: Math.floor(sessionTimeoutMs / 3) };
        const setup = { address: options, admin, names, sessionTimeoutMs, stallMs: options.stallMs, context };
        const member = await startKafkaMember(setup, consumeOptions);
        members.set(member, consumeOptions);
        const stop = () => member.stop().finally(() => members.delete(member));
        return { failed: member.failed, stop };
      }),
    backlog: () =>
      onBrokers("ask how far groups are behind", brokers, () => fetchBacklog(admin, placesOf(members.values()), names)),
    async close() {
      closed = true;
      await onBrokers("close queue", brokers, async () => {
        // Each whatever became of those before: a connection left open keeps its process.
        try {
          await Promise.all([...members.keys()].map((member) => member.stop()));
        } finally {
          await producing.close().finally(() => admin.disconnect());
        }
      });
    },
  };
  return queue;
}

/**
 * Sends by an idempotent producer with acknowledgement of all replicas (kafkajs's default). After a failure the
 * next send opens a new producer: the old one may number its batches differently from the broker from then on.
 */
function createSender(kafka: Kafka) {
  let current: Promise<Producer> | undefined;
  const connect = async () => {
    const producer = kafka.producer({
      idempotent: true,
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return producer;
  };
  return {
    async send(topic: string, messages: readonly Message[]): Promise<void> {
      current ??= connect();
      const mine = current;
      try {
        const producer = await mine;
        await producer.send({ topic, messages: messages.map(encodeMessage) });
      } catch (thrown) {
        if (current === mine) {
          current = undefined;
          await mine.then((producer) => producer.disconnect()).catch(() => undefined);
        }
        throw thrown;
      }
    },
    async close(): Promise<void> {
      await (await current)?.disconnect();
    },
  };
}

const encodeMessage = ({ key, value, headers }: Message) => ({
  key,
  value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  headers: { ...headers },
});

/** Yields the messages in order, in parts that fit a request. */
function* inRequests(messages: readonly Message[]): Iterable<readonly Message[]> {
  let part: Message[] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    if (part.length > 0 && bytes + size > MAX_REQUEST_BYTES) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(message);
    bytes += size;
  }
  if (part.length > 0) yield part;
}

function sizeOf({ key, value, headers }: Message): number {
  let size = RECORD_OVERHEAD_BYTES + Buffer.byteLength(key) + value.byteLength;
  for (const [name, text] of Object.entries(headers ?? {})) size += Buffer.byteLength(name) + Buffer.byteLength(text);
  return size;
}
