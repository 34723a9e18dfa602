/** @file Batches ahead of time: the step loop's end of a thread that puts them together. */
import { Worker } from "node:worker_threads";
import { DomainError } from "../lib/errors.ts";
import { type FromBatchThread, fromFailure, type ToBatchThread } from "./batch-messages.ts";
import type { Batch, BatchSource } from "./batches.ts";

/** Batches that are asked for or wait to be taken: one is fetched while the other is put together. */
const IN_FLIGHT = 2;

/** A thread and the batches it has in hand. */
export interface BatchFeed {
  /**
   * Returns the batch of a step, and has those of the steps after it put together meanwhile. Throws what putting it together threw,
   * or unavailable BATCH_THREAD_DIED.
   */
  batch(step: number): Promise<Batch>;
  /** Ends the thread; resolves when it is gone. Repeatable. */
  stop(): Promise<void>;
}

interface Ask {
  readonly batch: Promise<Batch>;
  readonly resolve: (batch: Batch) => void;
  readonly reject: (error: unknown) => void;
}

// compiled beside this file; a URL is not rewritten by the compiler as an import would be
const SCRIPT = new URL("./batch-thread.js", import.meta.url);

/** Returns a feed of the steps before `end`. The records change threads: `source.records` is empty for the caller afterwards. */
export function openBatchFeed(source: BatchSource, end: number): BatchFeed {
  const records = ownMemory(source.records);
  // the process's own flags (a telemetry preload, --eval) are not meant for a thread that only computes
  const worker = new Worker(SCRIPT, {
    workerData: { ...source, records },
    transferList: [records.buffer],
    execArgv: [],
  });
  const asked = new Map<number, Ask>();
  let death: DomainError | undefined;

  const die = (cause?: unknown): void => {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    const message = `Cannot put batches together: the thread ended${why}`;
    death ??= new DomainError("unavailable", "BATCH_THREAD_DIED", message, { cause });
    for (const { reject } of asked.values()) reject(death);
  };
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      die();
      resolve();
    });
  });
  worker.on("error", die);
  worker.on("message", (message: FromBatchThread) => {
    if (message.kind === "done") asked.get(message.step)?.resolve(message.batch);
    else asked.get(message.step)?.reject(fromFailure(message.failure));
  });
  const send = (message: ToBatchThread): void => worker.postMessage(message);
  const ask = (step: number): Ask => {
    const known = asked.get(step);
    if (known) return known;
    const made = newAsk();
    asked.set(step, made);
    if (death) made.reject(death);
    else send({ kind: "assemble", step });
    return made;
  };

  return {
    batch: (step) => {
      const { batch } = ask(step);
      for (let ahead = step + 1; ahead < Math.min(end, step + IN_FLIGHT); ahead++) ask(ahead);
      return batch.finally(() => asked.delete(step));
    },
    stop: async () => {
      if (!death) send({ kind: "stop" });
      await exited;
    },
  };
}

function newAsk(): Ask {
  let resolve: Ask["resolve"] = () => undefined;
  let reject: Ask["reject"] = () => undefined;
  const batch = new Promise<Batch>((onBatch, onError) => {
    resolve = onBatch;
    reject = onError;
  });
  batch.catch(() => undefined); // a batch that nobody takes any more may fail unseen
  return { batch, resolve, reject };
}

/** Returns records in memory that may change threads whole. */
const ownMemory = (records: Uint8Array): Uint8Array<ArrayBuffer> => {
  const { buffer } = records;
  const isOwn = buffer instanceof ArrayBuffer && buffer.byteLength === records.byteLength;
  return isOwn ? new Uint8Array(buffer) : records.slice();
};
