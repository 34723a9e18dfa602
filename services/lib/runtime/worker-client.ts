/** @file The main thread's end of one worker: requests become promises, its death becomes their rejection. */
import { SHARE_ENV, Worker } from "node:worker_threads";
import { DomainError } from "../errors.ts";
import type { FromWorker, Reply, Request, ToWorker, WorkerSettings } from "./messages.ts";

/** One worker thread and what it has in hand. */
export interface WorkerClient {
  /** ONNX Runtime's version, as the worker reported it. */
  readonly version: string;
  /** Requests without a reply so far. */
  readonly pending: number;
  readonly isAlive: boolean;
  /** Resolves to RUNTIME_WORKER_DIED when the worker has ended, by itself or stopped. */
  readonly died: Promise<DomainError>;
  /** Throws the worker's message as an Error, or RUNTIME_WORKER_DIED. */
  request(request: Request, transfers?: readonly ArrayBuffer[]): Promise<Reply>;
  /** Ends the worker after everything requested before; resolves when the thread is gone. Repeatable. */
  stop(): Promise<void>;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** Starts a worker on `script` (this folder's `runtime-worker`) and resolves once ONNX Runtime is loaded in it. */
export async function startWorker(settings: WorkerSettings, script: URL): Promise<WorkerClient> {
  // the process's own flags (a telemetry preload, --eval) are not meant for a thread that only computes
  const worker = new Worker(script, { workerData: settings, execArgv: [], env: SHARE_ENV });
  const waiting = new Map<number, Waiting>();
  let death: DomainError | undefined;
  let lastId = 0;

  const die = (cause?: unknown): DomainError => {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    death ??= new DomainError("unavailable", "RUNTIME_WORKER_DIED", `Cannot compute: the worker ended${why}`, {
      cause,
    });
    for (const { reject } of waiting.values()) reject(death);
    waiting.clear();
    return death;
  };
  const died = new Promise<DomainError>((resolve) => {
    worker.on("exit", () => resolve(die()));
  });
  worker.on("error", die);

  const ready = new Promise<string>((resolve, reject) => {
    waiting.set(lastId, { resolve: () => undefined, reject });
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "ready") {
        waiting.delete(0);
        return resolve(message.version);
      }
      const { id } = message;
      if (message.kind === "done") waiting.get(id)?.resolve(message);
      else waiting.get(id)?.reject(new Error(message.message));
      waiting.delete(id);
    });
  });
  const send = (message: ToWorker, transfers: readonly ArrayBuffer[] = []) => worker.postMessage(message, transfers);

  const version = await ready;
  return {
    version,
    get pending() {
      return waiting.size;
    },
    get isAlive() {
      return death === undefined;
    },
    died,
    request: (request, transfers) =>
      new Promise((resolve, reject) => {
        if (death !== undefined) return reject(death);
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        send({ kind: "request", id: lastId, request }, transfers);
      }),
    async stop() {
      if (death === undefined) send({ kind: "stop" });
      await died;
    },
  };
}
