/** @file The end of whoever asks a thread: questions become promises, its death becomes their rejection. */
import { type Transferable, Worker } from "node:worker_threads";
import { DomainError } from "../errors.ts";
import { type FromThread, fromFailure, type ToThread } from "./messages.ts";

/** What a thread is started with. */
export interface ThreadSettings {
  /** The compiled script; a URL, which the compiler does not rewrite as it would an import. */
  readonly script: URL;
  /** What it does, for the error of a thread that ended: "Cannot <task>: the thread ended". */
  readonly task: string;
  /** Reason of that error. */
  readonly deathReason: string;
  /** The script's `workerData`. */
  readonly data?: unknown;
}

/** A thread that answers one question after the other. */
export interface AskedThread<Question, Answer> {
  readonly isAlive: boolean;
  /** What is transferred is the thread's alone then. Throws what the script threw, or unavailable with the thread's `deathReason`. */
  ask(question: Question, transfer?: readonly Transferable[]): Promise<Answer>;
  /** Ends it after what was asked before; resolves when it is gone. Repeatable. */
  stop(): Promise<void>;
  /** Ends it in the middle of what it does. Repeatable. */
  kill(): Promise<void>;
}

interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Starts a thread. */
export function startThread<Question, Answer>({
  script,
  task,
  deathReason,
  data,
}: ThreadSettings): AskedThread<Question, Answer> {
  // the process's own flags (a telemetry preload, --eval) are not meant for a thread that only computes
  const worker = new Worker(script, { workerData: data, execArgv: [] });
  const waiting: Waiting<Answer>[] = [];
  let death: DomainError | undefined;

  const die = (cause?: unknown): void => {
    const why = cause instanceof Error ? `: ${cause.message}` : "";
    death ??= new DomainError("unavailable", deathReason, `Cannot ${task}: the thread ended${why}`, { cause });
    for (const { reject } of waiting.splice(0)) reject(death);
  };
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => {
      die();
      resolve();
    });
  });
  worker.on("error", die);
  worker.on("message", (message: FromThread<Answer>) => {
    const asked = waiting.shift();
    if (message.kind === "answered") asked?.resolve(message.answer);
    else asked?.reject(fromFailure(message.failure));
  });
  const send = (message: ToThread<Question>, transfer: readonly Transferable[] = []): void =>
    worker.postMessage(message, transfer);
  return {
    get isAlive() {
      return death === undefined;
    },
    ask: (question, transfer) =>
      new Promise<Answer>((resolve, reject) => {
        if (death !== undefined) return reject(death);
        send({ kind: "ask", question }, transfer);
        waiting.push({ resolve, reject });
      }),
    stop: async () => {
      if (death === undefined) send({ kind: "stop" });
      await exited;
    },
    kill: async () => {
      await worker.terminate();
      await exited;
    },
  };
}
