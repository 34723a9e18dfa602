/** @file What the main thread and a runtime worker say to each other. Every request but `stop` gets one reply. */
import type { Provider } from "./provider.ts";
import type { Tensors } from "./tensor.ts";

/** How a worker's sessions are made; its `workerData`. */
export interface WorkerSettings {
  readonly threads: number;
  readonly provider: Provider;
}

/** Work for a worker. It does one after the other, in the order they were sent. */
export type Request =
  | { readonly kind: "create"; readonly session: number; readonly model: Uint8Array }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Tensors;
      readonly outputs: readonly string[];
      /** Memory for some outputs, lent. */
      readonly into?: Tensors;
    }
  | { readonly kind: "release"; readonly session: number };

/** To the worker; `stop` ends it once everything sent before is done. */
export type ToWorker = { readonly kind: "request"; readonly id: number; readonly request: Request } | { kind: "stop" };

/** What a request gave: outputs, none but for runs, and how long the worker was at it, without the wait for its turn. */
export interface Reply {
  readonly outputs: Tensors;
  /** The buffers of feeds that were lent. */
  readonly lent: readonly ArrayBuffer[];
  readonly seconds: number;
}

/** From the worker: `ready` once ONNX Runtime is loaded, then replies. */
export type FromWorker =
  | { readonly kind: "ready"; readonly version: string }
  | ({ readonly kind: "done"; readonly id: number } & Reply)
  | { readonly kind: "failed"; readonly id: number; readonly message: string };
