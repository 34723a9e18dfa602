/** @file A model on the runtime's workers: made where it is needed, run where there is least to do. */
import { DomainError, invalid } from "../errors.ts";
import { recordRun } from "./events.ts";
import type { Reply } from "./messages.ts";
import type { Provider } from "./provider.ts";
import { checkTensors, detach, type Tensors } from "./tensor.ts";
import type { WorkerClient } from "./worker-client.ts";

/** A loaded model. */
export interface Session {
  /**
   * Returns the graph's outputs, all or the named ones; their memory belongs to the caller. A feed with `transfer` loses
   * its memory to the run. Throws invalidArgument TENSOR_INVALID, failedPrecondition SESSION_RELEASED or RUNTIME_CLOSED,
   * unavailable RUNTIME_WORKER_DIED, and ONNX Runtime's own message as a plain Error if the graph refuses its feeds.
   */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors>;
  /**
   * `run` that also tells how long the model ran, without the wait for a worker. Outputs of `into`, tensors that are lent and have the
   * output's type and dims, are written there: the reply's lie in that memory, which is the caller's again.
   */
  timedRun(feeds: Tensors, outputs?: readonly string[], into?: Tensors): Promise<Reply>;
  /** Frees the model on every worker, after the runs in flight. Repeatable. */
  release(): Promise<void>;
}

/** What a session is made of; `checkOpen` throws once the runtime is closed. */
export interface SessionParts {
  readonly id: number;
  readonly model: Uint8Array;
  readonly pinned: boolean;
  readonly provider: Provider;
  readonly workers: readonly WorkerClient[];
  readonly checkOpen: () => void;
}

/** Pinned sessions on each worker: between two runs of one its worker has nothing in hand, and is taken all the same. */
const pinnedOn = new WeakMap<WorkerClient, number>();

const countPinned = (worker: WorkerClient, change: number): void => {
  pinnedOn.set(worker, (pinnedOn.get(worker) ?? 0) + change);
};

/** The workers alive with the fewest pinned sessions; all if none is alive. */
function leastPinned(workers: readonly WorkerClient[]): readonly WorkerClient[] {
  const alive = workers.filter((worker) => worker.isAlive);
  const least = Math.min(...alive.map((worker) => pinnedOn.get(worker) ?? 0));
  return alive.length === 0 ? workers : alive.filter((worker) => (pinnedOn.get(worker) ?? 0) === least);
}

/** Returns a session after its model was read on one worker. Throws invalidArgument MODEL_UNREADABLE. */
export async function createSession(parts: SessionParts): Promise<Session> {
  const { id, model, pinned, provider, workers, checkOpen } = parts;
  const kept = model.slice(); // the caller may reuse its bytes while another worker still has to read them
  const loading = new Map<WorkerClient, Promise<unknown>>();
  let releasing: Promise<void> | undefined;

  /** Puts the model on `worker` unless it is there; a run sent after it finds the session, for a worker keeps order. */
  const load = (worker: WorkerClient): Promise<unknown> => {
    const known = loading.get(worker);
    if (known !== undefined) return known;
    const loaded = worker.request({ kind: "create", session: id, model: kept });
    loading.set(worker, loaded);
    loaded.catch(() => loading.delete(worker)); // the next run there tries again
    return loaded;
  };
  const home = leastBusy(pinned ? leastPinned(workers) : workers);
  if (pinned) countPinned(home, 1);
  await load(home).catch((error: unknown) => {
    if (pinned) countPinned(home, -1);
    unreadable(error);
  });
  const places = pinned ? [home] : workers;

  const session: Session = {
    run: async (feeds, outputs) => (await session.timedRun(feeds, outputs)).outputs,
    async timedRun(feeds, outputs = [], into = {}) {
      checkOpen();
      if (releasing !== undefined) {
        throw new DomainError("failedPrecondition", "SESSION_RELEASED", "Cannot run the model: it was released");
      }
      checkTensors(feeds);
      checkTensors(into);
      const worker = leastBusy(places);
      const [fed, filled] = [detach(feeds), detach(into)];
      const loaded = load(worker);
      const request = { kind: "run", session: id, feeds: fed.tensors, outputs, into: filled.tensors } as const;
      const ran = worker.request(request, [...fed.transfers, ...filled.transfers]);
      // both are awaited at once: if the model cannot be loaded the run fails too, and neither failure goes unseen
      const [, result] = await Promise.all([loaded, ran]);
      recordRun(provider, result.seconds);
      return result;
    },
    async release() {
      if (releasing === undefined) {
        releasing = releaseOn([...loading.keys()], id);
        if (pinned) countPinned(home, -1);
      }
      await releasing;
    },
  };
  return session;
}

/** The worker with the fewest requests in hand. Throws the RUNTIME_WORKER_DIED of a dead one if none is alive. */
function leastBusy(workers: readonly WorkerClient[]): WorkerClient {
  const alive = workers.filter((worker) => worker.isAlive);
  const [first, ...others] = alive.length > 0 ? alive : workers; // a dead worker's request tells how it died
  if (first === undefined) throw new Error("A runtime has at least one worker");
  return others.reduce((least, worker) => (worker.pending < least.pending ? worker : least), first);
}

function unreadable(cause: unknown): never {
  if (cause instanceof DomainError) throw cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  throw invalid("MODEL_UNREADABLE", `Cannot read the ONNX model: ${why}`, cause);
}

async function releaseOn(workers: readonly WorkerClient[], session: number): Promise<void> {
  const alive = workers.filter((worker) => worker.isAlive);
  await Promise.all(alive.map((worker) => worker.request({ kind: "release", session })));
}
