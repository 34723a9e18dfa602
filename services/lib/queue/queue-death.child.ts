/** @file The worker of `queue-deaths.contract.ts`: dies on the bad message as ordered; leaves once all is handled. */
import { writeSync } from "node:fs";
import { CONTRACT_PREFIX } from "./harness.fixture.ts";
import { openInProcessQueue } from "./in-process-queue.ts";
import { openKafkaQueue } from "./kafka-queue.ts";
import { type Delivery, deadLetterTopic } from "./queue.ts";

/** What the worker is to do, as JSON in its first argument. */
export interface DeathOrder {
  readonly adapter: "in-process" | "kafka";
  /** The in-process queue's folder, or Kafka's brokers. */
  readonly place: string;
  readonly topic: string;
  readonly group: string;
  readonly mode: "abort" | "save and abort" | "return";
  /** Leave only after a dead letter was seen. */
  readonly awaitDeadLetter?: boolean;
}

/** A line the worker writes. */
export type DeathReport =
  | { readonly started: string; readonly attempt: number }
  | { readonly deadLetter: Readonly<Record<string, string>> };

const order = JSON.parse(process.argv[2] ?? "{}") as DeathOrder;
const { topic, group } = order;

// A pipe's buffer is lost with the process; a synchronous write is not.
const report = (line: DeathReport) => writeSync(1, `${JSON.stringify(line)}\n`);

const queue =
  order.adapter === "in-process"
    ? await openInProcessQueue({ folder: order.place })
    : await openKafkaQueue({
        brokers: order.place.split(","),
        clientId: "death",
        prefix: CONTRACT_PREFIX,
        sessionTimeoutMs: 6000,
      });

let expected = order.awaitDeadLetter ? 2 : 1;
const arrive = () => {
  expected -= 1;
  if (expected === 0) setImmediate(() => void queue.close());
};

await queue.requireTopics([topic]);
if (order.adapter === "in-process") {
  const headers = { job: "job-1" };
  const encode = (text: string) => ({ key: "a", value: new TextEncoder().encode(text), headers });
  await queue.publish(topic, [encode("bad"), encode("good")]);
}
if (order.awaitDeadLetter) {
  await queue.consume({
    topics: [deadLetterTopic(topic)],
    group: `${group}.dead`,
    handle: async ({ headers }) => {
      report({ deadLetter: headers });
      arrive();
    },
  });
}
await queue.consume({
  topics: [topic],
  group,
  handle: async (delivery: Delivery) => {
    const text = new TextDecoder().decode(delivery.value);
    report({ started: text, attempt: delivery.attempt });
    if (text === "good") arrive();
    else if (order.mode !== "return") {
      if (order.mode === "save and abort") await delivery.progress({ saved: true });
      process.abort();
    }
  },
});
