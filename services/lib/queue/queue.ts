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
  /** Returns: the message is done. Throws: retried if `isRetryable`, then a dead letter with the error. */
  readonly handle: (delivery: Delivery) => Promise<void>;
  /** Whether handling again may help; default: only a DomainError of kind `unavailable`. */
  readonly isRetryable?: (error: unknown) => boolean;
  /** Retries after the first failure, with exponential backoff from `backoffMs`; default 4 from 250 ms. */
  readonly retries?: number;
  readonly backoffMs?: number;
}

export interface Consumer {
  /** Stops taking messages, aborts those in hand and waits for their handlers. What was not finished is delivered again. */
  stop(): Promise<void>;
}

/** At-least-once delivery by topic, key and group. */
export interface Queue {
  /** Creates topics that do not exist yet. Publishing to or consuming from any other topic is an error. */
  ensureTopics(topics: readonly string[]): Promise<void>;
  /** Returns when the messages are safe. */
  publish(topic: string, messages: readonly Message[]): Promise<void>;
  consume(options: ConsumeOptions): Promise<Consumer>;
  close(): Promise<void>;
}
