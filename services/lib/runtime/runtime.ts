/** @file Opens ONNX Runtime off the main thread: a fixed set of worker threads that hold sessions and run graphs. */
import { DomainError, invalid } from "../errors.ts";
import { findChannelBlock } from "./channel-block.ts";
import { takeDenormalsForZero } from "./denormals.ts";
import { chooseProvider } from "./device.ts";
import { computeClass, type Device, type Provider } from "./provider.ts";
import { createSession, type Session } from "./session.ts";
import { startWorker } from "./worker-client.ts";

/** How many threads compute: `workers` sessions run at once on a CPU, each of them on `threadsPerWorker` threads; one on a GPU. */
export interface RuntimeOptions {
  readonly workers: number;
  readonly threadsPerWorker: number;
  readonly device: Device;
}

/** An open ONNX Runtime. */
export interface Runtime {
  /** Name of the class within which results are promised to be identical bytes (METHOD.md 4). */
  readonly computeClass: string;
  /** Where graphs run. */
  readonly provider: Provider;
  /** Why a GPU that seems to be there is not used, where the device was to be chosen. */
  readonly passedOver?: string;
  /** Channels in a block of the CPU's blocked operators; 0 where there are none. Training graphs are written for it. */
  readonly channelBlock: number;
  /** Resolves when no worker is left although nobody closed the runtime: it can compute no longer. */
  readonly failed: Promise<Error>;
  /**
   * Returns a session of an ONNX model. A pinned one lives on one worker (for state that is worth keeping in one
   * thread's caches); another is made on each worker when first needed there, and runs go to the least busy worker.
   * Throws invalidArgument MODEL_UNREADABLE, failedPrecondition RUNTIME_CLOSED or unavailable RUNTIME_WORKER_DIED.
   */
  session(model: Uint8Array, options?: { readonly pinned?: boolean }): Promise<Session>;
  /** Refuses new work, waits for the runs in flight and ends the workers. Repeatable. */
  close(): Promise<void>;
}

// compiled beside this file; a URL is not rewritten by the compiler as an import would be
const WORKER_SCRIPT = new URL("./runtime-worker.js", import.meta.url);

/**
 * Returns a runtime whose workers have all loaded ONNX Runtime. Throws unavailable RUNTIME_WORKER_DIED if one cannot,
 * failedPrecondition DEVICE_UNAVAILABLE if the device is named and does not work.
 */
export async function openRuntime(options: RuntimeOptions, workerScript: URL = WORKER_SCRIPT): Promise<Runtime> {
  for (const count of [options.workers, options.threadsPerWorker]) {
    if (!Number.isInteger(count) || count < 1) {
      throw invalid(
        "RUNTIME_OPTIONS_INVALID",
        `Cannot open the runtime: "${count}" workers or threads, at least 1 needed`,
      );
    }
  }
  await takeDenormalsForZero();
  const { provider, ...rest } = await chooseProvider(options.device, workerScript);
  // a GPU runs one graph at a time: more workers would only take more of its memory
  const count = provider === "cpu" ? options.workers : 1;
  const settings = { threads: options.threadsPerWorker, provider };
  const starting = Array.from({ length: count }, () => startWorker(settings, workerScript));
  const started = await Promise.allSettled(starting);
  const workers = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failure = started.find((result) => result.status === "rejected");
  const stopAll = () => Promise.all(workers.map((worker) => worker.stop()));
  const [first] = workers;
  if (failure !== undefined || first === undefined) {
    await stopAll();
    throw failure?.reason;
  }

  const findBlock = async (): Promise<number> => (provider === "cpu" ? findChannelBlock(first) : 0);
  const channelBlock = await findBlock().catch(async (error: unknown) => {
    await stopAll();
    throw error;
  });
  let closing: Promise<unknown> | undefined;
  const failed = new Promise<Error>((resolve) => {
    void Promise.all(workers.map(({ died }) => died)).then(([death]) => {
      if (death !== undefined && closing === undefined) resolve(death);
    });
  });
  let lastSession = 0;
  const checkOpen = () => {
    if (closing === undefined) return;
    throw new DomainError("failedPrecondition", "RUNTIME_CLOSED", "Cannot compute: the runtime was closed");
  };
  return {
    computeClass: computeClass(provider, channelBlock, first.version),
    provider,
    ...rest,
    channelBlock,
    failed,
    async session(model, { pinned = false } = {}) {
      checkOpen();
      lastSession += 1;
      return createSession({ id: lastSession, model, pinned, provider, workers, checkOpen });
    },
    async close() {
      closing ??= stopAll();
      await closing;
    },
  };
}
