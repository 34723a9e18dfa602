/** @file What happens to messages, as metrics tell it; the same for both adapters. */
import { counter, observeGauge } from "../telemetry/instruments.ts";
import type { Queue } from "./queue.ts";

/** Which messages: those that a group takes from a topic. */
export interface MessagePlace {
  readonly topic: string;
  readonly group: string;
}

const retries = counter("radhical.queue.retries", {
  unit: "{retry}",
  description: "Handlings of a message after one that failed",
});
const deadLetters = counter("radhical.queue.dead_letters", {
  unit: "{message}",
  description: "Messages that were given up",
});

/** Counts a handling of a message that follows one that failed. */
export const countRetry = ({ topic, group }: MessagePlace): void => retries(1, { topic, group });

/** Counts a message that was given up. */
export const countDeadLetter = ({ topic, group }: MessagePlace): void => deadLetters(1, { topic, group });

/** Has every export and scrape tell how far the groups that consume here are behind. Returns what ends it. */
export const observeBacklog = (queue: Pick<Queue, "backlog">): (() => void) =>
  observeGauge(
    "radhical.queue.lag",
    { unit: "{message}", description: "Messages of a topic that a group has not done, those in hand included" },
    async () =>
      (await queue.backlog()).map(({ topic, group, messages }) => ({ value: messages, attributes: { topic, group } })),
  );
