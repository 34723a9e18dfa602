/** @file What every service stands on: the two ports with the adapters that the configuration names, the runtime, the log. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { openFolderStore } from "../objects/folder-store.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { openS3Store } from "../objects/s3-store.ts";
import { observeBacklog } from "../queue/events.ts";
import { openInProcessQueue } from "../queue/in-process-queue.ts";
import { openKafkaQueue } from "../queue/kafka-queue.ts";
import type { Queue } from "../queue/queue.ts";
import { openRuntime, type Runtime, type RuntimeOptions } from "../runtime/runtime.ts";
import type { ServiceConfig } from "./config.ts";
import { createImageStore, type ImageStore } from "./image-store.ts";
import type { Part } from "./lifecycle.ts";
import type { Logger } from "./log.ts";

export interface Platform extends Part {
  readonly config: ServiceConfig;
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly images: ImageStore;
  readonly log: Logger;
  /**
   * Resolves when the runtime has lost its last worker: the process must end, or it would take unit after unit and fail them all. Another process
   * rather than another runtime in this one: what killed every worker (memory, a GPU's context) often outlives them here, a supervisor starts
   * with a clean slate and waits longer each time, and nothing here holds sessions of a runtime that is no more. Units in hand are
   * retried for half a minute, longer than it takes to stop: they go to whoever comes next, not to the dead letters.
   */
  readonly failed: Promise<Error>;
  /** Whether unfinished jobs go on when services start. */
  readonly resumesJobs: boolean;
  /** Units of work at a time for work that keeps a core busy. */
  readonly workers: number;
  /** Returns the ONNX runtime, opened on the first call: a service that does not compute never loads it. */
  runtime(): Promise<Runtime>;
}

/** A worker says nothing to the brokers while it waits for the store: a silent store is given up first, or waiting would count as a death. */
const openObjects = ({ objects, queue }: ServiceConfig): Promise<ObjectStore> => {
  if (objects.kind === "folder") return openFolderStore(objects.folder);
  const patience = queue.kind === "kafka" ? { timeoutMs: Math.floor(queue.sessionTimeoutMs / 2) } : {};
  return openS3Store({ ...objects, ...patience });
};

const openQueue = (config: ServiceConfig, log: Logger): Promise<Queue> => {
  if (config.queue.kind === "kafka")
    return openKafkaQueue({ ...config.queue, clientId: "radhical", stallMs: config.stallMs, log });
  return openInProcessQueue({ folder: join(config.folder, ".attempts"), stallMs: config.stallMs, log });
};

/** Opens the platform. */
export async function openPlatform(
  config: ServiceConfig,
  log: Logger,
  resumesJobs = true,
  open: (options: RuntimeOptions) => Promise<Runtime> = openRuntime,
): Promise<Platform> {
  const objects = await openObjects(config);
  const queue = await openQueue(config, log).catch(async (error: unknown) => {
    await objects.close();
    throw error;
  });
  const unobserve = observeBacklog(queue);
  const workers = config.runtime.workers ?? availableParallelism();
  let runtime: Promise<Runtime> | undefined;
  let fail: (error: Error) => void = () => undefined;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  return {
    name: "platform",
    failed,
    config,
    resumesJobs,
    objects,
    queue,
    images: createImageStore(objects, config.limits.imagePixels),
    log,
    workers,
    runtime: () => {
      if (!runtime) {
        runtime = open({ workers, threadsPerWorker: 1, device: config.runtime.device });
        runtime.then(
          ({ computeClass, passedOver, failed }) => {
            log.info({ computeClass }, "computing");
            if (passedOver !== undefined)
              log.warn({ computeClass, passedOver }, "a GPU seems to be there but is not used");
            void failed.then(fail);
          },
          () => {
            runtime = undefined; // the next call tries again
          },
        );
      }
      return runtime;
    },
    stop: async () => {
      unobserve();
      // Each is closed whatever the others do: a folder would stay locked, and a thread that computes must not end with its process.
      try {
        await queue.close();
      } finally {
        try {
          await (await runtime?.catch(() => undefined))?.close();
        } finally {
          await objects.close();
        }
      }
    },
  };
}
