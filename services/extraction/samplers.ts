/** @file The main thread's end of the threads that draw centres: as many as images are sampled at a time. */
import { openThreadPool, type ThreadPool } from "../lib/threads/thread-pool.ts";
import type { SampledImage, SampleRequest } from "./sample-image.ts";

/** Threads that draw the centres of images. */
export type Samplers = ThreadPool<SampleRequest, SampledImage>;

/** Returns samplers without a thread as yet. */
export const openSamplers = (): Samplers =>
  openThreadPool({
    name: "samplers",
    script: new URL("./sampling-thread.js", import.meta.url),
    task: "draw centres",
    deathReason: "SAMPLER_DIED",
    stopReason: "SAMPLERS_STOPPED",
  });
