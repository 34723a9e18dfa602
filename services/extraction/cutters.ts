/** @file The main thread's end of the threads that cut patches. */
import { DomainError } from "../lib/errors.ts";
import type { Part } from "../lib/service/lifecycle.ts";
import { type AskedThread, startThread } from "../lib/threads/asked-thread.ts";
import type { CutImage, CutLevel, CutRequest } from "./cut-image.ts";
import type { CutAnswer, CutQuestion } from "./cut-messages.ts";

/** Threads that cut patches, started when they are needed: as many as images are cut at a time. */
export interface Cutters extends Part {
  /**
   * Cuts an image in a thread and returns what is known of it then. `use` gets level after level, finest first; the shard is
   * good until it is done. Throws unavailable CUTTER_DIED, failedPrecondition CUTTERS_STOPPED.
   */
  cut(request: CutRequest, use: (level: CutLevel, shard: Uint8Array) => Promise<unknown>): Promise<CutImage>;
}

type CutThread = AskedThread<CutQuestion, CutAnswer>;

/** Returns cutters without a thread as yet. */
export const openCutters = (): Cutters => {
  const threads = new Set<CutThread>();
  const idle: CutThread[] = [];
  let isStopped = false;
  return {
    name: "cutters",
    cut: async (request, use) => {
      if (isStopped)
        throw new DomainError("failedPrecondition", "CUTTERS_STOPPED", "Cannot cut patches: it was stopped");
      const thread = idle.pop() ?? startCutThread();
      threads.add(thread);
      try {
        let reply = await thread.ask({ kind: "cut", request });
        while (reply.kind === "level") {
          const { level, memory } = reply;
          await use(level, memory.subarray(level.place.start, level.place.end));
          reply = await thread.ask({ kind: "next" });
        }
        return reply.image;
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
};

const startCutThread = (): CutThread =>
  startThread({
    script: new URL("./cut-thread.js", import.meta.url),
    task: "cut patches",
    deathReason: "CUTTER_DIED",
  });
