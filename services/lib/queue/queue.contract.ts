/** @file What every adapter of the queue port must do; run on each by its own test file. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "../errors.ts";
import { createRandom } from "../method/random.ts";
import { aborted, message, openWithTopic, type QueueHarness, textOf, unique, until, watch } from "./harness.fixture.ts";
import { MAX_VALUE_BYTES, type Message } from "./queue.ts";
import { deathContract } from "./queue-deaths.contract.ts";
import { failureContract } from "./queue-failures.contract.ts";
import { telemetryContract } from "./queue-telemetry.contract.ts";

/** Registers the whole suite for an adapter. */
export function queueContract(harness: QueueHarness): void {
  describe(`queue contract: ${harness.adapter}`, { concurrency: 8, timeout: 120_000 }, () => {
    deliveryContract(harness);
    orderContract(harness);
    stopContract(harness);
    failureContract(harness);
    deathContract(harness);
  });
  telemetryContract(harness);
}

const hasReason = (reason: string) => (error: unknown) => error instanceof DomainError && error.reason === reason;

const numbered = (count: number, keys: number): readonly Message[] =>
  Array.from({ length: count }, (_, index) => message(`key-${index % keys}`, String(index)));

function deliveryContract(harness: QueueHarness): void {
  test("brings every message to every group, also those published before the group came", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const early = numbered(20, 5).slice(0, 10);
    const late = numbered(20, 5).slice(10);
    await queue.publish(topic, early);
    const first = await watch(queue, topic);
    const second = await watch(queue, topic);
    await queue.publish(topic, late);
    // What the topic still held when the second group came, it gets too; how much that is depends on the adapter.
    const indices = ({ seen }: typeof first, from: number) =>
      seen
        .map((delivery) => Number(textOf(delivery)))
        .filter((index) => index >= from)
        .sort((a, b) => a - b);
    await until(() => indices(first, 0).length >= 20 && indices(second, 10).length >= 10, "both groups");
    assert.deepEqual(indices(first, 0), [...Array(20).keys()]);
    assert.deepEqual(indices(second, 10), [...Array(20).keys()].slice(10));
  });

  test("brings a message to one member of a group", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const group = unique("group");
    const handle = () => sleep(2);
    const members = await Promise.all([watch(queue, topic, { group, handle }), watch(queue, topic, { group, handle })]);
    await queue.publish(topic, numbered(60, 30));
    const all = () => members.flatMap(({ seen }) => seen);
    await until(() => all().length >= 60, "60 messages");
    await sleep(100);
    assert.equal(all().length, 60);
    assert.equal(new Set(all().map(textOf)).size, 60);
    assert.ok(members.every(({ seen }) => seen.length > 0));
  });

  test("brings keys, headers and bytes unchanged, from none to the largest value", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const values = [
      new Uint8Array(),
      Uint8Array.from({ length: 256 }, (_, index) => index),
      new Uint8Array(MAX_VALUE_BYTES).fill(7),
    ];
    const headers = { job: "job-1", trace: "grün ✓", empty: "" };
    const sent = values.map((value, index) => ({ key: `ключ-${index}`, value, headers }));
    await queue.publish(topic, sent);
    const { seen } = await watch(queue, topic);
    await until(() => seen.length >= 3, "three messages");
    const received = seen.map(({ key, value, headers }) => ({
      key,
      value: new Uint8Array(value),
      headers: { ...headers },
    }));
    assert.deepEqual(
      received.sort((a, b) => (a.key < b.key ? -1 : 1)),
      sent,
    );
    assert.deepEqual([...new Set(seen.map((delivery) => delivery.topic))], [topic]);
  });

  test("refuses a value over the limit, and sends nothing of that call", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const large = { key: "large", value: new Uint8Array(MAX_VALUE_BYTES + 1) };
    await assert.rejects(queue.publish(topic, [message("a", "never"), large]), hasReason("MESSAGE_TOO_LARGE"));
    await queue.publish(topic, [message("a", "after")]);
    const { seen } = await watch(queue, topic);
    await until(() => seen.length > 0, "the message after");
    assert.deepEqual(seen.map(textOf), ["after"]);
  });

  test("refuses topics that nobody created, and everything after close", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const unknown = unique("unknown");
    await assert.rejects(queue.publish(unknown, [message("a", "x")]), hasReason("UNKNOWN_TOPIC"));
    await assert.rejects(watch(queue, unknown), hasReason("UNKNOWN_TOPIC"));
    await harness.provision([unknown]);
    await queue.requireTopics([topic, unknown]);
    await queue.publish(unknown, [message("a", "x")]);
    await queue.close();
    await assert.rejects(queue.publish(topic, [message("a", "x")]), hasReason("QUEUE_CLOSED"));
    await assert.rejects(watch(queue, topic), hasReason("QUEUE_CLOSED"));
  });
}

function orderContract(harness: QueueHarness): void {
  test("keeps the order of each key while keys are handled side by side", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    await queue.publish(topic, numbered(200, 10));
    const random = createRandom("how long messages take");
    const busy = new Set<string>();
    const twice: string[] = [];
    let most = 0;
    const { seen } = await watch(queue, topic, {
      concurrency: 4,
      handle: async ({ key }) => {
        if (busy.has(key)) twice.push(key);
        busy.add(key);
        most = Math.max(most, busy.size);
        await sleep(4 * random.next());
        busy.delete(key);
      },
    });
    await until(() => seen.length >= 200, "200 messages");
    assert.equal(seen.length, 200);
    assert.deepEqual(twice, []);
    for (let key = 0; key < 10; key++) {
      const texts = seen.filter((delivery) => delivery.key === `key-${key}`).map(textOf);
      assert.deepEqual(
        texts,
        Array.from({ length: 20 }, (_, index) => String(index * 10 + key)),
      );
    }
    assert.ok(most > 1 && most <= 4, `${most} keys were in hand at a time`);
  });

  test("holds up only what is ordered after a message in hand", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    await queue.publish(topic, numbered(60, 30));
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let first: string | undefined;
    const { seen } = await watch(queue, topic, {
      concurrency: 3,
      handle: async ({ key, signal }) => {
        first ??= key;
        if (key === first) await Promise.race([held, aborted(signal)]);
      },
    });
    // Kafka orders by partition, and a consumer fetches anew only after all it has fetched has had its turn.
    const free = harness.adapter === "kafka" ? 4 : 58;
    await until(() => seen.length >= free + 1, "the messages of other keys");
    assert.equal(seen.filter(({ key }) => key === first).length, 1);
    release();
    await until(() => seen.length >= 60, "the messages held up");
    assert.equal(new Set(seen.map(textOf)).size, 60);
  });
}

function stopContract(harness: QueueHarness): void {
  test("aborts what is in hand at stop and delivers it again, not as a death", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    await queue.publish(topic, [message("a", "done"), message("a", "cut short"), message("a", "next")]);
    const group = unique("group");
    const stopped = await watch(queue, topic, {
      group,
      handle: async (delivery) => (textOf(delivery) === "done" ? undefined : aborted(delivery.signal)),
    });
    await until(() => stopped.seen.length >= 2, "the message to be cut short");
    await Promise.all([stopped.consumer.stop(), stopped.consumer.stop()]);
    await stopped.consumer.stop();
    assert.equal(stopped.seen[1]?.signal.aborted, true);
    const { seen } = await watch(queue, topic, { group });
    await until(() => seen.length >= 2, "the rest");
    assert.deepEqual(
      seen.map((delivery) => [textOf(delivery), delivery.attempt]),
      [
        ["cut short", 1],
        ["next", 1],
      ],
    );
    assert.equal(stopped.seen.length, 2);
  });

  test("takes a handler that finishes while the consumer stops for finished", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    await queue.publish(topic, [message("a", "finishes"), message("a", "next")]);
    const group = unique("group");
    const handle = ({ signal }: { signal: AbortSignal }) => aborted(signal).catch(() => undefined);
    const stopped = await watch(queue, topic, { group, handle });
    await until(() => stopped.seen.length >= 1, "the first message");
    await stopped.consumer.stop();
    const { seen } = await watch(queue, topic, { group });
    await until(() => seen.length >= 1, "the next message");
    assert.deepEqual(seen.map(textOf), ["next"]);
  });
}
