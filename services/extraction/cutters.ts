/** @file The main thread's end of the threads that cut patches. */
import { Worker } from "node:worker_threads";
import { DomainError } from "../lib/errors.ts";
import type { SamplingRequest, Shortfall } from "../lib/method/sampling.ts";
import type { Part } from "../lib/service/lifecycle.ts";
import type { CutLevel } from "./cut-image.ts";
import type { FromCutThread, ToCutThread } from "./cut-messages.ts";

/** Threads that cut patches, started when they are needed: as many as images are cut at a time. */
export interface Cutters extends Part {
  /**
   * Cuts an image in a thread and returns where it had too few candidates. `use` gets level after level, finest first; the shard is
   * good until it is done. Throws unavailable CUTTER_DIED, failedPrecondition CUTTERS_STOPPED.
   */
  cut(
    request: SamplingRequest,
    use: (level: CutLevel, shard: Uint8Array) => Promise<unknown>,
  ): Promise<readonly Shortfall[]>;
}

// compiled beside this file; a URL is not rewritten by the compiler as an import would be
const SCRIPT = new URL("./cut-thread.js", import.meta.url);

/** A thread, with one question at a time. */
interface Thread {
  ask(message: ToCutThread): Promise<Answer>;
  readonly isAlive: boolean;
  stop(): Promise<void>;
}

type Answer = Exclude<FromCutThread, { kind: "failed" }>;

/** Returns cutters without a thread as yet. */
export const openCutters = (): Cutters => {
  const threads = new Set<Thread>();
  const idle: Thread[] = [];
  let isStopped = false;
  return {
    name: "cutters",
    cut: async (request, use) => {
      if (isStopped)
        throw new DomainError("failedPrecondition", "CUTTERS_STOPPED", "Cannot cut patches: it was stopped");
      const thread = idle.pop() ?? startThread();
      threads.add(thread);
      try {
        let reply = await thread.ask({ kind: "cut", request });
        while (reply.kind === "level") {
          const { level, memory } = reply;
          await use(level, memory.subarray(level.place.start, level.place.end));
          reply = await thread.ask({ kind: "next" });
        }
        return reply.shortfalls;
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

const startThread = (): Thread => {
  // the process's own flags (a telemetry preload, --eval) are not meant for a thread that only computes
  const worker = new Worker(SCRIPT, { execArgv: [] });
  const send = (message: ToCutThread): void => worker.postMessage(message);
  let waiting: { readonly resolve: (reply: Answer) => void; readonly reject: (error: Error) => void } | undefined;
  let death: DomainError | undefined;
  const die = (cause?: unknown): void => {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    death ??= new DomainError("unavailable", "CUTTER_DIED", `Cannot cut patches: the thread ended${why}`, { cause });
    waiting?.reject(death);
  };
  worker.on("error", die);
  worker.on("message", (reply: FromCutThread) => {
    if (reply.kind === "failed") waiting?.reject(new Error(reply.message));
    else waiting?.resolve(reply);
  });
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      die();
      resolve();
    });
  });
  return {
    get isAlive() {
      return death === undefined;
    },
    ask: (message) =>
      new Promise<Answer>((resolve, reject) => {
        if (death !== undefined) return reject(death);
        waiting = { resolve, reject };
        send(message);
      }),
    stop: async () => {
      if (death === undefined) send({ kind: "stop" });
      await exited;
    },
  };
};
