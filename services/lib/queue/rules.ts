/** @file Rules that both adapters share. */
import { DomainError, invalid } from "../errors.ts";
import { traceHeaders } from "../telemetry/trace-context.ts";
import { type ConsumeOptions, deadLetterTopic, MAX_VALUE_BYTES, type Message } from "./queue.ts";

/** What the name of every dead-letter topic ends with. */
export const DEAD_LETTER_SUFFIX = deadLetterTopic("");

/** Returns the topics with the dead-letter topic of each; a dead-letter topic has none of its own. */
export const withDeadLetterTopics = (topics: readonly string[]): readonly string[] => [
  ...new Set(
    topics.flatMap((topic) => (topic.endsWith(DEAD_LETTER_SUFFIX) ? [topic] : [topic, deadLetterTopic(topic)])),
  ),
];

/** Returns the failure of an operation on a topic that nobody created. */
export const unknownTopic = (action: string, topic: string): DomainError =>
  new DomainError(
    "failedPrecondition",
    "UNKNOWN_TOPIC",
    `Cannot ${action} topic "${topic}": call requireTopics for it first`,
    {
      info: { topic },
    },
  );

/** Returns the failure of a process whose topics nobody has made on the brokers. */
export const topicsMissing = (topics: readonly string[]): DomainError =>
  new DomainError(
    "failedPrecondition",
    "TOPICS_MISSING",
    `Cannot find topics "${topics.join('", "')}" on the brokers: run radhical provision with the settings of this process`,
  );

/** Returns the failure of an operation on a queue after `close()`. */
export const closedQueue = (action: string): DomainError =>
  new DomainError("failedPrecondition", "QUEUE_CLOSED", `Cannot ${action}: the queue is closed`);

/** Throws invalidArgument (MESSAGE_TOO_LARGE) if a value is over the limit: pixels belong in the object store. */
export function checkSizes(topic: string, messages: readonly Message[]): void {
  const large = messages.find(({ value }) => value.byteLength > MAX_VALUE_BYTES);
  if (large === undefined) return;
  throw invalid(
    "MESSAGE_TOO_LARGE",
    `Cannot publish message "${large.key}" of ${large.value.byteLength} bytes to topic "${topic}": ` +
      `the limit is ${MAX_VALUE_BYTES}; put the content into the object store and send its key`,
  );
}

/** Returns the messages with headers that name the active span, if there is one; `deliver` goes on below it. */
export function inActiveTrace(messages: readonly Message[]): readonly Message[] {
  const trace = traceHeaders();
  if (Object.keys(trace).length === 0) return messages;
  return messages.map((message) => ({ ...message, headers: { ...message.headers, ...trace } }));
}

type Consuming = Pick<ConsumeOptions, "topics" | "group">;

/** Returns each topic and group of some consumers once. */
export function placesOf(
  consumers: Iterable<Consuming>,
): readonly { readonly topic: string; readonly group: string }[] {
  const byGroup = new Map<string, Set<string>>();
  for (const { group, topics } of consumers) byGroup.set(group, new Set([...(byGroup.get(group) ?? []), ...topics]));
  return [...byGroup].flatMap(([group, topics]) => [...topics].map((topic) => ({ topic, group })));
}
