/**
 * @file The queue port. Work and completion messages go through it; messages point at work, they never carry pixels.
 * Two adapters implement it (in-process, Kafka); `queue.contract.ts` holds what both must do.
 */

/** A message to publish. Messages of one topic with the same key are handled in the order of publishing. */
export interface Message {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A message as a handler gets it. */
export interface Delivery {
  readonly topic: string;
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** Which start of this message this is, from 1; counts starts that ended in the death of the worker. */
  readonly attempt: number;
  /** Aborted when the consumer stops or loses the message to another member of the group. */
  readonly signal: AbortSignal;
  /**
   * Says that the work advances: call it from the work's own loop, never from a timer. `saved` says that progress
   * is in the object store, so that the death of the worker after this is not held against the message.
   */
  progress(options?: { readonly saved?: boolean }): Promise<void>;
}

/** Headers of a dead letter, besides those of the message it was. */
export const DEAD_LETTER_HEADERS = {
  error: "dead-letter-error",
  topic: "dead-letter-topic",
  attempts: "dead-letter-attempts",
} as const;

/** Largest value of a message, in bytes: what a Kafka broker takes by default, less room for key and headers. */
export const MAX_VALUE_BYTES = 1_000_000;

/** Topic that takes what a group could not handle. */
export const deadLetterTopic = (topic: string): string => `${topic}.dead-letter`;

/** The start of a message at which it becomes a dead letter unseen: its worker has died this many times less one. */
export const LAST_ATTEMPT = 4;

export interface ConsumeOptions {
  readonly topics: readonly string[];
  /** Each group gets every message; within a group a message is handled by one member. */
  readonly group: string;
  /** Messages handled at a time by this consumer, never two of one key; default 1. */
  readonly concurrency?: number;
  /** Returns: the message is done. Throws: retried if `isRetryable`, then a dead letter with the error's message. */
  readonly handle: (delivery: Delivery) => Promise<void>;
  /** Whether handling again may help; default: only a DomainError of kind `unavailable`. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** Retries after the first failure, with exponential backoff from `backoffMs`; default 4 from 250 ms. Saved progress begins the count anew. */
  readonly retries?: number;
  readonly backoffMs?: number;
}

export interface Consumer {
  /**
   * Resolves when the consumer has ended by itself and will not come back, or holds work that does not advance; never rejects. The process
   * should exit then, so that another takes over. The in-process queue does where attempts cannot be written too.
   */
  readonly failed: Promise<Error>;
  /** Stops taking messages, aborts those in hand and waits for their handlers. What was not finished is delivered again. */
  stop(): Promise<void>;
}

/** What the adapters log to: a pino logger, or anything with these three. */
export interface QueueLog {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** How far a group is behind on a topic. */
export interface Backlog {
  readonly topic: string;
  readonly group: string;
  /** Messages that are not done, those in hand included. */
  readonly messages: number;
}

/** At-least-once delivery by topic, key and group. */
export interface Queue {
  /**
   * To be called with every topic of a process before it is used; it stands for the topic's dead-letter topic too (a dead-letter topic has
   * none of its own). Kafka: throws failedPrecondition (TOPICS_MISSING) unless all have been provisioned. In process: they come to be.
   * Publishing to or consuming from a topic that nobody made is failedPrecondition (UNKNOWN_TOPIC).
   */
  requireTopics(topics: readonly string[]): Promise<void>;
  /** Returns when the messages are safe. Throws invalidArgument (MESSAGE_TOO_LARGE), unavailable (QUEUE_UNAVAILABLE). */
  publish(topic: string, messages: readonly Message[]): Promise<void>;
  /** Starts a member of the group. A new group starts with what its topics still hold. */
  consume(options: ConsumeOptions): Promise<Consumer>;
  /** Returns how far the groups that have members here are behind, topic by topic. Throws unavailable (QUEUE_UNAVAILABLE). */
  backlog(): Promise<readonly Backlog[]>;
  /** Stops all consumers of this queue, then lets go of its connections. */
  close(): Promise<void>;
}
