/** @file Batches ahead of time: the step loop's end of a thread that puts them together. */
import { startThread } from "../lib/threads/asked-thread.ts";
import type { Batch, BatchSource } from "./batches.ts";

/** Batches that are asked for or wait to be taken: one is fetched while the other is put together. */
const IN_FLIGHT = 2;

/** A thread and the batches it has in hand. */
export interface BatchFeed {
  /** Held as long as the feed is: other trainings of the process find these records in memory (training-records.ts). */
  readonly source: BatchSource;
  /**
   * Returns the batch of a step, and has those of the steps after it put together meanwhile. Throws what putting it together threw,
   * or unavailable BATCH_THREAD_DIED.
   */
  batch(step: number): Promise<Batch>;
  /** Ends the thread; resolves when it is gone. Repeatable. */
  stop(): Promise<void>;
}

/** Returns a feed of the steps before `end`; its thread looks at the records where they are. */
export function openBatchFeed(source: BatchSource, end: number): BatchFeed {
  const thread = startThread<number, Batch>({
    script: new URL("./batch-thread.js", import.meta.url),
    task: "put batches together",
    deathReason: "BATCH_THREAD_DIED",
    data: source,
  });
  const asked = new Map<number, Promise<Batch>>();
  const ask = (step: number): Promise<Batch> => {
    const known = asked.get(step);
    if (known !== undefined) return known;
    const batch = thread.ask(step);
    batch.catch(() => undefined); // a batch that nobody takes any more may fail unseen
    asked.set(step, batch);
    return batch;
  };
  return {
    source,
    batch: (step) => {
      const batch = ask(step);
      for (let ahead = step + 1; ahead < Math.min(end, step + IN_FLIGHT); ahead++) void ask(ahead);
      return batch.finally(() => asked.delete(step));
    },
    stop: thread.stop,
  };
}
