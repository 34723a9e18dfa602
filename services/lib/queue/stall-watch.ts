/** @file Notices work in hand that does not advance: a heartbeat of the client's own must never keep a hung worker in its group. */
import { DomainError } from "../errors.ts";
import type { QueueLog } from "./queue.ts";

/** Work in hand, from its start to its end. */
export interface HeldWork {
  /** Says that it advances. */
  advance(): void;
  end(): void;
}

export interface StallWatch {
  /** Says that work on a message starts. */
  hold(message: { readonly topic: string; readonly key: string }): HeldWork;
  stop(): void;
}

/** How often it is looked, in parts of the time that is allowed. */
const LOOKS = 4;

/**
 * Calls `onStall` once, as soon as some work has gone without a sign of progress for `stallMs`; never where that is undefined. It runs on
 * the event loop: a loop that is blocked itself answers no health check, and whoever asks for that ends the process.
 */
export function watchForStalls(
  stallMs: number | undefined,
  onStall: (error: DomainError) => void,
  log?: QueueLog,
): StallWatch {
  const held = new Set<{ topic: string; key: string; lastMs: number }>();
  const look = (): void => {
    const overdue = [...held].find(({ lastMs }) => performance.now() - lastMs > (stallMs ?? 0));
    if (overdue === undefined) return;
    clearInterval(timer);
    const { topic, key } = overdue;
    log?.error({ topic, key, stallMs }, "work in hand does not advance");
    const message = `Cannot wait longer for work of topic "${topic}": ${stallMs} ms in hand without a sign of progress`;
    onStall(new DomainError("unavailable", "WORKER_STALLED", message));
  };
  const timer = stallMs === undefined ? undefined : setInterval(look, stallMs / LOOKS).unref();
  return {
    hold: ({ topic, key }) => {
      const work = { topic, key, lastMs: performance.now() };
      held.add(work);
      return {
        advance: () => {
          work.lastMs = performance.now();
        },
        end: () => held.delete(work),
      };
    },
    stop: () => clearInterval(timer),
  };
}
