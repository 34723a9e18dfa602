/** @file What a topic is for, and the settings that follow from it. */
import { deadLetterTopic } from "./queue.ts";
import { DEAD_LETTER_SUFFIX } from "./rules.ts";

/** A topic of the system. */
export interface TopicSpec {
  readonly name: string;
  /** work: units to compute; events: what workers tell coordinators. */
  readonly kind: "work" | "events";
}

type TopicKind = TopicSpec["kind"] | "dead letters";

/** A topic as it has to be on the brokers. */
export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  /** By the names that Kafka gives its topic settings; `min.insync.replicas` follows from the replicas besides. */
  readonly settings: Readonly<Record<string, string>>;
}

const DAY_MS = 86_400_000;

/**
 * How long messages stay. Work has to outlast the longest backlog: what is deleted before a worker came is published again only by a
 * restart. Events only tell what the object store knows too. Dead letters wait for people.
 */
const RETENTION_MS: Readonly<Record<TopicKind, number>> = {
  work: 14 * DAY_MS,
  events: 3 * DAY_MS,
  "dead letters": 30 * DAY_MS,
};

/** Few come, and each is handled in a moment. */
const DEAD_LETTER_PARTITIONS = 1;

const settingsOf = (kind: TopicKind): Readonly<Record<string, string>> => ({
  "cleanup.policy": "delete",
  "retention.ms": String(RETENTION_MS[kind]),
  // A limit on bytes would drop work that nobody has done.
  "retention.bytes": "-1",
  // A value of MAX_VALUE_BYTES with its key and headers; Kafka's own default.
  "max.message.bytes": "1048588",
  "unclean.leader.election.enable": "false",
});

/** Returns how topics have to be, each followed by its dead-letter topic. */
export const planTopics = (topics: readonly TopicSpec[], partitions: number): TopicPlan[] =>
  topics.flatMap(({ name, kind }) => {
    const letters = { partitions: DEAD_LETTER_PARTITIONS, settings: settingsOf("dead letters") };
    if (name.endsWith(DEAD_LETTER_SUFFIX)) return [{ name, ...letters }];
    return [
      { name, partitions, settings: settingsOf(kind) },
      { name: deadLetterTopic(name), ...letters },
    ];
  });

/** Returns how many replicas have to have a message before it counts as published: two where that leaves one that may be away. */
export const minInsyncReplicas = (replicas: number): number => (replicas >= 3 ? 2 : 1);
