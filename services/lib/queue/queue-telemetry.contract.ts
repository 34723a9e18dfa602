/** @file Contract: the trace that a message belongs to, what is counted, and how far a group is behind. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "../errors.ts";
import { record } from "../telemetry/recorded.fixture.ts";
import { inSpan } from "../telemetry/spans.ts";
import { activeTraceparent } from "../telemetry/trace-context.ts";
import {
  aborted,
  message,
  openWithTopic,
  type QueueHarness,
  textOf,
  until,
  watch,
  watchDeadLetters,
} from "./harness.fixture.ts";

const traceOf = (traceparent: string): string | undefined => traceparent.split("-")[1];

/** Registers the tests for an adapter. They run one at a time and after all others: a process has one telemetry. */
export function telemetryContract(harness: QueueHarness): void {
  describe(`queue contract, telemetry: ${harness.adapter}`, { timeout: 120_000 }, () => {
    test("what becomes of a message stays in the trace it was published in: its retry, its dead letter, what follows", async (t) => {
      const recorded = record(t);
      const { queue, topic } = await openWithTopic(harness, t);
      const traces: (string | undefined)[] = [];
      const note = async () => void traces.push(traceOf(activeTraceparent()));
      const { group } = await watch(queue, topic, {
        retries: 1,
        handle: async (delivery) => {
          await note();
          if (textOf(delivery) === "first") await queue.publish(topic, [message("a", "second")]);
          else throw new DomainError("unavailable", "AWAY", "Cannot reach it");
        },
      });
      const dead = await watchDeadLetters(queue, topic);
      await inSpan("the publisher", {}, () => queue.publish(topic, [message("a", "first")]));
      await until(() => dead.seen.length > 0, "the dead letter");

      const publisher = recorded.spans().find(({ name }) => name === "the publisher");
      assert.deepEqual(traces, Array(3).fill(publisher?.traceId), "the first, the second and its retry");
      assert.equal(traceOf(dead.seen[0]?.headers.traceparent ?? ""), publisher?.traceId);
      await until(() => recorded.spans().some(({ name }) => name === "dead letter"), "the span of the dead letter");
      const letter = recorded.spans().find(({ name }) => name === "dead letter");
      assert.deepEqual([letter?.traceId, letter?.parentSpanId], [publisher?.traceId, publisher?.spanId]);
      assert.equal(letter?.attributes["error.type"], "AWAY");
      assert.equal(await recorded.counted("radhical.queue.retries", { topic, group }), 1);
      assert.equal(await recorded.counted("radhical.queue.dead_letters", { topic, group }), 1);
    });

    test("a message that was published outside of a trace is handled outside of any", async (t) => {
      record(t);
      const { queue, topic } = await openWithTopic(harness, t);
      const traces: string[] = [];
      await queue.publish(topic, [message("a", "alone")]);
      // A consumer that is started within a trace, as a command's own are, does not take its messages into it.
      const handle = async () => void traces.push(activeTraceparent());
      await inSpan("another", {}, () => watch(queue, topic, { handle }));
      await until(() => traces.length === 1, "the message");
      assert.deepEqual(traces, [""]);
    });

    test("a group is behind by what it has not done, what is in hand included", async (t) => {
      const { queue, topic } = await openWithTopic(harness, t);
      let isHeld = true;
      const held = await watch(queue, topic, {
        handle: ({ signal }) => (isHeld ? aborted(signal) : Promise.resolve()),
      });
      const other = await watch(queue, topic);
      await queue.publish(
        topic,
        ["a", "b", "c", "a"].map((key) => message(key, "work")),
      );
      const behind = async () => {
        const backlog = (await queue.backlog()).filter((entry) => entry.topic === topic);
        return Object.fromEntries(backlog.map(({ group, messages }) => [group, messages]));
      };
      await until(
        () => held.seen.length > 0 && other.seen.length === 4,
        "a message in hand, and all of the other group's",
      );
      while ((await behind())[other.group] !== 0) await sleep(20);
      assert.deepEqual(await behind(), { [held.group]: 4, [other.group]: 0 });
      isHeld = false;
      await held.consumer.stop();
      const again = await watch(queue, topic, { group: held.group });
      await until(() => again.seen.length === 4, "the rest");
      while ((await behind())[held.group] !== 0) await sleep(20);
      assert.deepEqual(await behind(), { [held.group]: 0, [other.group]: 0 });
    });
  });
}
