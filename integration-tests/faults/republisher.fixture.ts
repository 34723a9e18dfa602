/** @file Whatever is published on a deployment's topics comes a second time, at once or late and in another order. */
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openKafkaQueue } from "../../services/lib/queue/kafka-queue.ts";
import { readConfig } from "../../services/lib/service/config.ts";
import type { Deployment } from "../deployment.fixture.ts";

const AGAIN = "published-again";

/** A second publisher of everything. */
export interface Republisher {
  /** Messages that were published again. */
  readonly count: number;
  /** Returns when all that was seen has been published again. */
  stop(): Promise<void>;
}

/** Publishes each message of these topics once more, `heldMs()` after it came. */
export async function republish(
  t: TestContext,
  { env }: Deployment,
  topics: readonly string[],
  heldMs: () => number,
): Promise<Republisher> {
  const { queue: kafka } = readConfig(env);
  if (kafka.kind !== "kafka") throw new Error("A deployment has a broker");
  const queue = await openKafkaQueue({ ...kafka, clientId: "republisher" });
  t.after(() => queue.close());
  const held = new Set<Promise<void>>();
  let count = 0;
  const consumer = await queue.consume({
    topics,
    group: "republisher",
    handle: async ({ topic, key, value, headers }) => {
      if (headers[AGAIN] !== undefined) return;
      const copy = { key, value: Uint8Array.from(value), headers: { ...headers, [AGAIN]: "" } };
      // Nobody waits: what comes next may go out first.
      held.add(sleep(heldMs()).then(() => queue.publish(topic, [copy])));
      count += 1;
    },
  });
  return {
    get count() {
      return count;
    },
    stop: async () => {
      await Promise.all(held);
      await consumer.stop();
    },
  };
}
