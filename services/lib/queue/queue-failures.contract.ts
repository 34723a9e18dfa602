/** @file Contract: retries, dead letters and what happens when a dead letter cannot be published. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "../errors.ts";
import {
  message,
  openWithTopic,
  type QueueHarness,
  textOf,
  unique,
  until,
  watch,
  watchDeadLetters,
} from "./harness.fixture.ts";
import { DEAD_LETTER_HEADERS, deadLetterTopic } from "./queue.ts";

const overloaded = () => new DomainError("unavailable", "OVERLOADED", 'Cannot reach model server "m1"');

/** Registers the tests for an adapter; part of `queueContract`. */
export function failureContract(harness: QueueHarness): void {
  test("retries what may help as often as asked, waiting twice as long each time, then makes a dead letter", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const callsMs: number[] = [];
    await watch(queue, topic, {
      retries: 2,
      backoffMs: 100,
      handle: async () => {
        callsMs.push(Date.now());
        throw overloaded();
      },
    });
    const dead = await watchDeadLetters(queue, topic);
    await queue.publish(topic, [message("a", "unlucky", { job: "job-1" })]);
    await until(() => dead.seen.length > 0, "the dead letter");
    const waitsMs = callsMs.slice(1).map((ms, index) => ms - callsMs[index]!);
    assert.equal(callsMs.length, 3);
    // A timer may fire a millisecond early.
    assert.ok(waitsMs[0]! >= 99 && waitsMs[1]! >= 199, `waited ${waitsMs.join(" and ")} ms`);
    assert.deepEqual(
      { ...dead.seen[0]?.headers },
      {
        job: "job-1",
        [DEAD_LETTER_HEADERS.error]: 'Cannot reach model server "m1"',
        [DEAD_LETTER_HEADERS.topic]: topic,
        [DEAD_LETTER_HEADERS.attempts]: "3",
      },
    );
    assert.deepEqual([dead.seen[0]?.key, textOf(dead.seen[0]!)], ["a", "unlucky"]);
  });

  test("counts retries anew from saved progress: only failures without it add up", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const dead = await watchDeadLetters(queue, topic);
    const savedBefore = [1, 2, 4, 7];
    let calls = 0;
    await watch(queue, topic, {
      retries: 2,
      backoffMs: 1,
      handle: async ({ progress }) => {
        calls += 1;
        if (savedBefore.includes(calls)) await progress({ saved: true });
        throw overloaded();
      },
    });
    await queue.publish(topic, [message("a", "long")]);
    await until(() => dead.seen.length > 0, "the dead letter");
    // Call 7 was the last to save: from there on as if it had been delivered just now, whatever came before.
    assert.deepEqual([calls, dead.seen[0]?.headers[DEAD_LETTER_HEADERS.attempts]], [10, "10"]);
  });

  test("stops retrying when a retry succeeds", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const dead = await watchDeadLetters(queue, topic);
    let calls = 0;
    const { seen } = await watch(queue, topic, {
      handle: async () => {
        calls += 1;
        if (calls < 3) throw overloaded();
      },
    });
    await queue.publish(topic, [message("a", "lucky"), message("a", "next")]);
    await until(() => seen.map(textOf).includes("next"), "the next message");
    assert.equal(calls, 4);
    assert.deepEqual(
      seen.map(({ attempt }) => attempt),
      [1, 1, 1, 1],
    );
    assert.equal(dead.seen.length, 0);
  });

  test("asks isRetryable about whatever was thrown, bugs and non-errors too", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const asked: unknown[] = [];
    const bug = new TypeError("undefined is not a function");
    const { seen } = await watch(queue, topic, {
      retries: 1,
      isRetryable: (error) => asked.push(error) > 0,
      handle: async (delivery) => {
        throw textOf(delivery) === "bug" ? bug : "just text";
      },
    });
    const dead = await watchDeadLetters(queue, topic);
    await queue.publish(topic, [message("a", "bug"), message("a", "text")]);
    await until(() => dead.seen.length >= 2, "two dead letters");
    assert.deepEqual(asked.slice(0, 1), [bug]);
    assert.deepEqual(seen.map(textOf), ["bug", "bug", "text", "text"]);
    const errors = dead.seen.map(({ headers }) => headers[DEAD_LETTER_HEADERS.error]);
    assert.deepEqual(errors.sort(), ["just text", "undefined is not a function"]);
  });

  test("makes a poison message a dead letter at once and goes on with the good ones", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    const dead = await watchDeadLetters(queue, topic);
    const { seen } = await watch(queue, topic, {
      handle: async (delivery) => {
        if (textOf(delivery) === "poison") throw new Error("Cannot decode message");
      },
    });
    await queue.publish(
      topic,
      ["1", "2", "poison", "3", "4"].map((text) => message("a", text)),
    );
    await until(() => seen.length >= 5 && dead.seen.length >= 1, "five messages and a dead letter");
    assert.deepEqual(seen.map(textOf), ["1", "2", "poison", "3", "4"]);
    assert.deepEqual(dead.seen.map(textOf), ["poison"]);
    assert.equal(dead.seen[0]?.headers[DEAD_LETTER_HEADERS.attempts], "1");
  });

  test("commits only after the dead letter is confirmed: while it cannot be, the message comes again", async (t) => {
    const { queue, topic } = await openWithTopic(harness, t);
    // A dead-letter topic has no dead-letter topic of its own until somebody creates it.
    const source = deadLetterTopic(topic);
    const { seen } = await watch(queue, source, {
      handle: async (delivery) => {
        if (textOf(delivery) === "poison") throw new Error("Cannot decode message");
      },
    });
    await queue.publish(source, [message("a", "poison"), message("a", "next")]);
    await until(() => seen.length >= 5, "the fifth delivery of the message");
    assert.deepEqual([...new Set(seen.map(textOf))], ["poison"]);
    assert.deepEqual([...new Set(seen.map(({ attempt }) => attempt))], [1]);
    await harness.provision([deadLetterTopic(source)]);
    await queue.requireTopics([deadLetterTopic(source)]);
    const dead = await watchDeadLetters(queue, source);
    await until(
      () => dead.seen.length > 0 && seen.map(textOf).includes("next"),
      "the dead letter and the next message",
    );
    assert.deepEqual(dead.seen.map(textOf), ["poison"]);
    assert.equal(dead.seen[0]?.headers[DEAD_LETTER_HEADERS.topic], source);
  });

  test("a consumer whose work in hand does not advance fails and says so, so that its process ends", async (t) => {
    let goOn = () => {};
    const hung = new Promise<void>((resolve) => {
      const alive = setInterval(() => {}, 1000);
      goOn = () => {
        clearInterval(alive);
        resolve();
      };
    });
    // Before the queue's own end, which a handler that is deaf to its signal would keep waiting.
    t.after(() => goOn());
    const queue = await harness.open(t, { stallMs: 400 });
    const topic = unique("contract");
    await harness.provision([topic]);
    await queue.requireTopics([topic]);
    const { consumer } = await watch(queue, topic, { handle: () => hung });
    const steps: number[] = [];
    const advancing = await watch(queue, topic, {
      handle: async (delivery) => {
        for (let step = 0; step < 30; step++) {
          await sleep(50);
          await delivery.progress();
          steps.push(step);
        }
      },
    });
    let isWrong = false;
    void advancing.consumer.failed.then(() => {
      isWrong = true;
    });
    await queue.publish(topic, [message("a", "x")]);
    const error = await consumer.failed;
    assert.ok(error instanceof DomainError);
    assert.equal(error.reason, "WORKER_STALLED");
    assert.match(error.message, new RegExp(`"${topic}": 400 ms in hand without a sign of progress`));
    await until(() => steps.length >= 30, "work that takes longer than that and says that it advances");
    assert.equal(isWrong, false);
  });
}
