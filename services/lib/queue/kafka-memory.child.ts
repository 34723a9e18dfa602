/** @file A worker in front of a backlog, for a test of how much of it it holds: handles some messages, slowly, and tells the most it held. */
import { setTimeout as sleep } from "node:timers/promises";
import { CONTRACT_PREFIX } from "./harness.fixture.ts";
import { openKafkaQueue } from "./kafka-queue.ts";

const HANDLED = 60;

const [, , brokers = "", topic = ""] = process.argv;
const queue = await openKafkaQueue({ brokers: brokers.split(","), clientId: "memory", prefix: CONTRACT_PREFIX });
let handled = 0;
let most = 0;
await queue.consume({
  topics: [topic],
  group: `${topic}.memory`,
  handle: async () => {
    if (handled++ === HANDLED) {
      process.stdout.write(`${most}\n`);
      setImmediate(() => void queue.close());
    }
    await sleep(5);
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  },
});
