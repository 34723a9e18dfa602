/** @file How this house opens kafkajs clients, what their logs become, and what their errors mean to a caller. */
import { Kafka, type LogEntry, logLevel } from "kafkajs";
import pRetry from "p-retry";
import { DomainError, invalid } from "../errors.ts";
import type { QueueLog } from "./queue.ts";

/** Where the brokers are and who asks. */
export interface KafkaAddress {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly log?: QueueLog | undefined;
}

/**
 * Returns a new client. Members of one group must not share one: kafkajs keeps committed offsets per client and group,
 * and one member's rebalance would clear those of the other.
 */
export const createKafkaClient = ({ brokers, clientId, log }: KafkaAddress): Kafka =>
  new Kafka({
    brokers: [...brokers],
    clientId,
    logLevel: log === undefined ? logLevel.NOTHING : logLevel.INFO,
    logCreator: () => (entry) => passOn(entry, log),
  });

/** kafkajs tells of every rebalance at info and of every retry at error, so what it calls news is detail here. */
function passOn({ level, namespace, log: { message, timestamp: _, ...fields } }: LogEntry, log?: QueueLog): void {
  if (level === logLevel.ERROR || level === logLevel.WARN) log?.warn({ ...fields, namespace }, message);
  else log?.debug({ ...fields, namespace }, message);
}

/**
 * Returns the outcome of an operation on the brokers. Throws a DomainError passed through, invalidArgument where they
 * refuse the name or size, else unavailable (QUEUE_UNAVAILABLE).
 */
export async function onBrokers<T>(
  action: string,
  brokers: readonly string[],
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation();
  } catch (thrown) {
    if (thrown instanceof DomainError) throw thrown;
    const type = protocolErrorType(thrown);
    if (type === "INVALID_TOPIC_EXCEPTION")
      throw invalid("INVALID_TOPIC", `Cannot ${action}: not a topic name`, thrown);
    if (type === "MESSAGE_TOO_LARGE") {
      throw invalid("MESSAGE_TOO_LARGE", `Cannot ${action}: larger than the brokers take`, thrown);
    }
    throw new DomainError(
      "unavailable",
      "QUEUE_UNAVAILABLE",
      `Cannot ${action}: Kafka brokers "${brokers.join(",")}" do not answer as they should, check their addresses and state`,
      { cause: thrown, info: { brokers: brokers.join(",") } },
    );
  }
}

/**
 * Returns the outcome of an operation on topics that were just created: brokers hear of a topic one after the other, and
 * kafkajs gives up at the first that has not (nor does `createTopics` itself wait for more than leaders).
 */
export const onFreshTopics = <T>(operation: () => Promise<T>): Promise<T> =>
  pRetry(operation, {
    retries: 12,
    minTimeout: 50,
    maxTimeout: 2000,
    shouldRetry: ({ error }) => FRESH_TOPIC_ERRORS.has(protocolErrorType(error) ?? ""),
  });

const FRESH_TOPIC_ERRORS = new Set(["UNKNOWN_TOPIC_OR_PARTITION", "LEADER_NOT_AVAILABLE"]);

/** Returns the Kafka protocol's name of an error, from the error, its causes or those it gathers; undefined if it has none. */
export function protocolErrorType(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if ("type" in thrown && typeof thrown.type === "string") return thrown.type;
  if ("errors" in thrown && Array.isArray(thrown.errors)) return protocolErrorType(thrown.errors[0]);
  return protocolErrorType(thrown.cause);
}
