/** @file How this house opens kafkajs clients, what their logs become, and what their errors mean to a caller. */
import { Kafka, type KafkaConfig, type LogEntry, logLevel } from "kafkajs";
import pRetry from "p-retry";
import { DomainError, invalid } from "../errors.ts";
import { accessFailure, type KafkaLogin } from "./kafka-access.ts";
import type { QueueLog } from "./queue.ts";

/** Where the brokers are and who asks. */
export interface KafkaAddress {
  /** "host:port" each; one that answers is enough to find the others. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** There: connections are encrypted and the brokers' certificates checked, against `ca` (PEM) or else the system's authorities. */
  readonly tls?: { readonly ca?: string | undefined } | undefined;
  /** There: clients log in. */
  readonly login?: KafkaLogin | undefined;
  /** Gets warnings of kafkajs and dead letters; without it the adapter is silent. */
  readonly log?: QueueLog | undefined;
}

/** kafkajs's one second is short for a TLS handshake with a broker that is busy. */
const CONNECTION_TIMEOUT_MS = 5000;

/**
 * Returns a new client. Members of one group must not share one: kafkajs keeps committed offsets per client and group,
 * and one member's rebalance would clear those of the other.
 */
export const createKafkaClient = ({ brokers, clientId, tls, login, log }: KafkaAddress): Kafka =>
  new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    ...(tls && { ssl: tls.ca === undefined ? true : { ca: [tls.ca] } }),
    ...(login && { sasl: saslOf(login) }),
    logLevel: log === undefined ? logLevel.NOTHING : logLevel.INFO,
    logCreator: () => (entry) => passOn(entry, log),
  });

/** kafkajs keeps state in this object, so each client gets its own. */
function saslOf({ mechanism, username, password }: KafkaLogin): NonNullable<KafkaConfig["sasl"]> {
  switch (mechanism) {
    case "PLAIN":
      return { mechanism: "plain", username, password };
    case "SCRAM-SHA-256":
      return { mechanism: "scram-sha-256", username, password };
    case "SCRAM-SHA-512":
      return { mechanism: "scram-sha-512", username, password };
    default: {
      const unreachable: never = mechanism;
      return unreachable;
    }
  }
}

/** What brokers answer every member of a group whenever one comes or goes. */
const REBALANCING = "The group is rebalancing, so a rejoin is needed";

/** kafkajs tells of every rebalance at info and, as it answers requests, at error, and of every retry at error: what it calls news is detail here. */
function passOn({ level, namespace, log: { message, timestamp: _, ...fields } }: LogEntry, log?: QueueLog): void {
  const isNews = (level === logLevel.ERROR || level === logLevel.WARN) && fields.error !== REBALANCING;
  if (isNews) log?.warn({ ...fields, namespace }, message);
  else log?.debug({ ...fields, namespace }, message);
}

/**
 * Returns the outcome of an operation on the brokers. Throws a DomainError passed through, invalidArgument where they
 * refuse the name or size, failedPrecondition where they refuse the login (QUEUE_DENIED) or cannot be trusted
 * (QUEUE_UNTRUSTED), else unavailable (QUEUE_UNAVAILABLE).
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
    throw accessFailure(action, brokers, thrown);
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
