/** @file The main thread's end of the threads that cut patches. */
import { openThreadPool, type ThreadPool } from "../lib/threads/thread-pool.ts";
import type { CutRequest } from "./cut-thread.ts";

/** Threads that answer with an image's records at a level, in shared memory of theirs: good until they are asked again. */
export type Cutters = ThreadPool<CutRequest, Uint8Array>;

/** Returns cutters without a thread as yet. */
export const openCutters = (): Cutters =>
  openThreadPool({
    name: "cutters",
    script: new URL("./cut-thread.js", import.meta.url),
    task: "cut patches",
    deathReason: "CUTTER_DIED",
    stopReason: "CUTTERS_STOPPED",
  });
