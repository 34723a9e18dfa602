/** @file Threads of one script, started when they are needed and used again: as many as work side by side. */
import { DomainError } from "../errors.ts";
import { type AskedThread, startThread, type ThreadSettings } from "./asked-thread.ts";

/** What a pool is opened with. */
export interface PoolSettings extends ThreadSettings {
  /** What to call it where a part of a process is named. */
  readonly name: string;
  /** Reason of the error once it was stopped. */
  readonly stopReason: string;
}

/** A pool, without a thread as yet. */
export interface ThreadPool<Question, Answer> {
  readonly name: string;
  /**
   * Lends a thread to `use`, which alone asks it until it is done. A thread that died is not lent again.
   * Throws failedPrecondition with the pool's `stopReason`, and what `use` throws.
   */
  lend<T>(use: (thread: AskedThread<Question, Answer>) => Promise<T>): Promise<T>;
  /** Ends all threads after what they were asked before. Repeatable. */
  stop(): Promise<void>;
}

/** Opens a pool. */
export function openThreadPool<Question, Answer>({
  name,
  stopReason,
  ...settings
}: PoolSettings): ThreadPool<Question, Answer> {
  const threads = new Set<AskedThread<Question, Answer>>();
  const idle: AskedThread<Question, Answer>[] = [];
  let isStopped = false;
  return {
    name,
    lend: async (use) => {
      if (isStopped) throw new DomainError("failedPrecondition", stopReason, `Cannot ${settings.task}: it was stopped`);
      const thread = idle.pop() ?? startThread<Question, Answer>(settings);
      threads.add(thread);
      try {
        return await use(thread);
      } finally {
        if (thread.isAlive) idle.push(thread);
        else threads.delete(thread);
      }
    },
    stop: async () => {
      isStopped = true;
      await Promise.all([...threads].map((thread) => thread.stop()));
    },
  };
}
