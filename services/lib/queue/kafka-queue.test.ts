import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { DomainError } from "../errors.ts";
import {
  aborted,
  CONTRACT_PREFIX,
  message,
  openWithTopic,
  type QueueHarness,
  textOf,
  unique,
  until,
  watch,
} from "./harness.fixture.ts";
import { provisionTopics } from "./kafka-provision.ts";
import { openKafkaQueue } from "./kafka-queue.ts";
import { queueContract } from "./queue.contract.ts";

const BACKLOG_MESSAGE_BYTES = 50_000;

/** The shortest the brokers allow. */
const SESSION_TIMEOUT_MS = 6000;

const brokersOf = (list: string): readonly string[] => list.split(",");

const address = process.env.KAFKA_BROKERS;
if (address) {
  const harness: QueueHarness = {
    adapter: "kafka",
    place: async () => address,
    provision: async (topics) => {
      const specs = topics.map((name) => ({ name, kind: "work" as const }));
      await provisionTopics({ brokers: brokersOf(address), clientId: "contract" }, specs, {
        prefix: CONTRACT_PREFIX,
        partitions: 3,
      });
    },
    open: async (t: TestContext, options = {}) => {
      const queue = await openKafkaQueue({
        brokers: brokersOf(address),
        clientId: "contract",
        prefix: CONTRACT_PREFIX,
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        ...options,
      });
      t.after(() => queue.close());
      return queue;
    },
  };
  queueContract(harness);
  describe("Kafka queue", { concurrency: 8, timeout: 120_000 }, () => kafkaTests(harness));
}

function kafkaTests(harness: QueueHarness): void {
  test("keeps a member whose handler outlasts the session timeout and says that it advances", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    let finished = 0;
    const { seen } = await watch(queue, topic, {
      handle: async (delivery) => {
        if (textOf(delivery) !== "long") return;
        const endMs = Date.now() + SESSION_TIMEOUT_MS * 1.5;
        while (Date.now() < endMs) {
          delivery.signal.throwIfAborted();
          await sleep(200);
          // Not `saved`: that commits, which the brokers take for a heartbeat.
          await delivery.progress();
        }
        finished += 1;
      },
    });
    await queue.publish(topic, [message("a", "long"), message("a", "next")]);
    await until(() => seen.length >= 2, "the next message");
    assert.deepEqual(seen.map(textOf), ["long", "next"]);
    assert.equal(finished, 1);
  });

  test("waits for a retry no longer than its session lasts", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const { seen } = await watch(queue, topic, {
      backoffMs: 2 * SESSION_TIMEOUT_MS,
      handle: async () => {
        if (seen.length === 1) throw new DomainError("unavailable", "OVERLOADED", "Cannot reach the store");
      },
    });
    await queue.publish(topic, [message("a", "unlucky"), message("a", "next")]);
    await until(() => seen.length >= 3, "the next message");
    assert.deepEqual(
      seen.map((delivery) => [textOf(delivery), delivery.attempt]),
      [
        ["unlucky", 1],
        ["unlucky", 1],
        ["next", 1],
      ],
    );
  });

  test("gives a message in hand up when another member joins, and that is no death", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const group = unique("group");
    await queue.publish(topic, [message("a", "long")]);
    const handle: Parameters<typeof watch>[2] = {
      group,
      handle: async (delivery) => {
        while (!delivery.signal.aborted) {
          await delivery.progress();
          await sleep(50);
        }
        await aborted(delivery.signal);
      },
    };
    const first = await watch(queue, topic, handle);
    await until(() => first.seen.length === 1, "the message");
    const second = await watch(queue, topic, handle);
    assert.equal(first.seen[0]?.signal.aborted, true);
    await until(() => first.seen.length + second.seen.length === 2, "the second delivery");
    assert.deepEqual(
      [...first.seen, ...second.seen].map(({ attempt }) => attempt),
      [1, 1],
    );
  });

  test("a member that joins is nothing to warn of", async (t) => {
    const { topic } = await openWithTopic(harness, t);
    const told: { readonly debug: object[]; readonly warn: object[] } = { debug: [], warn: [] };
    const joined = await openKafkaQueue({
      brokers: brokersOf(await harness.place(t)),
      clientId: "contract",
      prefix: CONTRACT_PREFIX,
      log: {
        debug: (fields: object) => void told.debug.push(fields),
        warn: (fields: object) => void told.warn.push(fields),
        error: () => {},
      },
    });
    t.after(() => joined.close());
    const group = unique("group");
    await watch(joined, topic, { group });
    await watch(joined, topic, { group });
    const ofRebalances = (entries: readonly object[]): number =>
      entries.filter((entry) => JSON.stringify(entry).includes("The group is rebalancing")).length;
    await until(() => ofRebalances(told.debug) > 0, "word of the rebalance");
    assert.equal(ofRebalances(told.warn), 0);
  });

  test("publishes more in one call than a request can carry, in order", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const value = new Uint8Array(700_000);
    await queue.publish(
      topic,
      [1, 2, 3, 4].map((part) => ({ key: "a", value, headers: { part: String(part) } })),
    );
    const { seen } = await watch(queue, topic);
    await until(() => seen.length >= 4, "four messages");
    assert.deepEqual(
      seen.map(({ headers }) => headers.part),
      ["1", "2", "3", "4"],
    );
  });

  test("holds the same little of a backlog however long that is", async (t) => {
    const child = fileURLToPath(new URL("./kafka-memory.child.js", import.meta.url));
    const mostOf = async (messages: number): Promise<number> => {
      const { queue, topic } = await openWithTopic(harness, t);
      const value = new Uint8Array(BACKLOG_MESSAGE_BYTES);
      const backlog = Array.from({ length: messages }, (_, i) => ({ key: `key-${i}`, value }));
      await queue.publish(topic, backlog);
      const args = [child, await harness.place(t), topic];
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
      return Number(stdout);
    };
    const [little, much] = [await mostOf(80), await mostOf(1000)];
    t.diagnostic(`${little} bytes of buffers before a backlog of 4 MB, ${much} before one of 50 MB`);
    assert.ok(little > 0 && much < little + 4 * 2 ** 20, `${little} and ${much} bytes`);
  });

  test("says when a consumer has ended by itself for good", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const bug = new TypeError("log is broken");
    const log = {
      debug: () => {},
      error: () => {},
      warn: (_: object, text: string) => {
        if (text === "dead letter") throw bug;
      },
    };
    const broken = await openKafkaQueue({
      brokers: brokersOf(await harness.place(t)),
      clientId: "contract",
      prefix: CONTRACT_PREFIX,
      log,
    });
    t.after(() => broken.close());
    await queue.publish(topic, [message("a", "poison")]);
    const { consumer } = await watch(broken, topic, {
      handle: async () => {
        throw new Error("Cannot decode message");
      },
    });
    const error = await consumer.failed;
    assert.ok(error instanceof DomainError);
    assert.equal(error.reason, "QUEUE_CONSUMER_FAILED");
    await consumer.stop();
  });

  test("refuses to consume when the brokers refuse the member", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const brokers = brokersOf(await harness.place(t));
    const hasty = await openKafkaQueue({
      brokers,
      clientId: "contract",
      prefix: CONTRACT_PREFIX,
      sessionTimeoutMs: 100,
    });
    t.after(() => hasty.close());
    await assert.rejects(watch(hasty, topic), (error: unknown) => {
      return error instanceof DomainError && error.reason === "QUEUE_CONSUMER_FAILED" && error.cause instanceof Error;
    });
    await queue.publish(topic, [message("a", "x")]);
    const { seen } = await watch(queue, topic);
    await until(() => seen.length === 1, "the message, by a member that asks for less");
  });

  test("names the brokers that do not answer", async () => {
    await assert.rejects(openKafkaQueue({ brokers: ["127.0.0.1:1"], clientId: "contract" }), (error: unknown) => {
      assert.ok(error instanceof DomainError);
      assert.deepEqual([error.kind, error.reason], ["unavailable", "QUEUE_UNAVAILABLE"]);
      assert.match(error.message, /"127\.0\.0\.1:1"/);
      assert.ok(error.cause instanceof Error);
      return true;
    });
  });
}
