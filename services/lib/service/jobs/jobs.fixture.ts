/** @file A coordinator, a worker and a JobsService on a real folder store and queue, for the tests of jobs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "nice-grpc";
import { openFolderStore } from "../../objects/folder-store.ts";
import { objectKey } from "../../objects/object-key.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { BuildRequest } from "../../proto/radhical/v1/datasets.ts";
import { type Job, JobsServiceDefinition } from "../../proto/radhical/v1/jobs.ts";
import { type PlannedUnit, StoredFile } from "../../proto/radhical/v1/work.ts";
import { openInProcessQueue } from "../../queue/in-process-queue.ts";
import type { Queue } from "../../queue/queue.ts";
import { connect } from "../client.ts";
import { type Part, stopAll } from "../lifecycle.ts";
import { createLogger } from "../log.ts";
import { startServer } from "../server.ts";
import { type Coordinator, startCoordinator } from "./coordinator.ts";
import { finishable, type JobDefinition } from "./job-definition.ts";
import { isTerminal } from "./job-store.ts";
import { jobsRpc } from "./jobs-rpc.ts";
import { planUnit } from "./units.ts";
import { startWorker, type UnitContext } from "./worker.ts";

/** A service that JobsService knows. */
export const SERVICE = "datasets";
export const UNIT_TOPIC = "test.unit";

const log = createLogger("test", "silent");

/** What a test decides about its jobs. */
export interface Behaviour {
  /** Computes unit `n`; by default it is done at once. */
  readonly handle?: (n: number, unit: UnitContext) => Promise<void>;
  /** The group that unit `n` is in and the one it waits for. */
  readonly groups?: (n: number) => { readonly group?: string; readonly after?: string };
  readonly amount?: number;
  readonly plan?: () => Promise<void>;
  readonly finish?: () => Promise<string | undefined>;
  readonly recheckMs?: number;
  readonly coordinators?: number;
  /** Whether unfinished jobs go on at start; default true. */
  readonly resumesJobs?: boolean;
  readonly workers?: number;
  /** Opens the queue; by default one in the process. */
  readonly openQueue?: () => Promise<Queue>;
}

/** A running system. */
export interface World {
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly coordinator: Coordinator;
  readonly jobs: Client<typeof JobsServiceDefinition>;
  /** Of the server that answers for jobs, "host:port". */
  readonly address: string;
  /** Units that were started, in order; a retry counts again. */
  readonly started: number[];
  readonly finished: { count: number };
  /** Submits a job of units `0..units-1` whose outputs lie under `place`. */
  submit(units: number, options?: { readonly requestId?: string; readonly place?: string }): Promise<Job>;
  stop(): Promise<void>;
}

/** Returns the key of the output of unit `n`. */
export const outputKey = (place: string, n: number): string => objectKey("outputs", place, String(n));

const cleanups = new WeakMap<TestContext, (() => unknown)[]>();

/** Calls `undo` after the test, the last given first: node:test calls its hooks in order, so a folder would go before its user. */
export function afterTest(t: TestContext, undo: () => unknown): void {
  const known = cleanups.get(t);
  if (known) {
    known.push(undo);
    return;
  }
  const own = [undo];
  cleanups.set(t, own);
  t.after(async () => {
    for (const last of own.toReversed()) await last();
  });
}

/** Returns a new folder that is removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-test-"));
  afterTest(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Returns a store in a new folder. */
export async function temporaryStore(t: TestContext): Promise<ObjectStore> {
  const objects = await openFolderStore(await temporaryFolder(t));
  afterTest(t, () => objects.close());
  return objects;
}

const definitionOf = (behaviour: Behaviour, finished: { count: number }): JobDefinition<BuildRequest> => ({
  kind: "test",
  unit: "things",
  codec: BuildRequest,
  plan: async ({ splitId, folds }) => {
    await behaviour.plan?.();
    const units = folds.map((n) =>
      planUnit({
        topic: UNIT_TOPIC,
        key: `${splitId}-${n}`,
        codec: StoredFile,
        task: { path: String(n), key: splitId },
        outputKey: outputKey(splitId, n),
        ...(behaviour.amount === undefined ? {} : { amount: behaviour.amount }),
        ...behaviour.groups?.(n),
      }),
    );
    return { resultId: `result-${splitId}`, units };
  },
  finish: async (_request, _id, _units: readonly PlannedUnit[]) => {
    finished.count++;
    return behaviour.finish?.();
  },
});

/** Starts a system on `folder`, which another may have used before. It is stopped after the test if not earlier. */
export async function startWorld(t: TestContext, folder: string, behaviour: Behaviour = {}): Promise<World> {
  const objects = await openFolderStore(folder);
  const queue = await (behaviour.openQueue?.() ?? openInProcessQueue({ folder: join(folder, ".attempts") }));
  const started: number[] = [];
  const finished = { count: 0 };
  const ctx = { objects, queue, log, resumesJobs: behaviour.resumesJobs ?? true };
  const definition = definitionOf(behaviour, finished);
  const store: Part = { name: "store", stop: () => queue.close().then(() => objects.close()) };
  const parts: Part[] = [store];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= stopAll(parts, log);
    return stopping;
  };
  afterTest(t, stop);
  const options = {
    service: SERVICE,
    definitions: [finishable(definition)],
    topics: [UNIT_TOPIC],
    recheckMs: behaviour.recheckMs ?? 10_000,
  };
  const coordinators: Coordinator[] = [];
  for (let i = 0; i < (behaviour.coordinators ?? 1); i++) coordinators.push(await startCoordinator(ctx, options));
  parts.push(...coordinators);
  const handle = async ({ path }: StoredFile, unit: UnitContext): Promise<Uint8Array> => {
    started.push(Number(path));
    await behaviour.handle?.(Number(path), unit);
    return Buffer.from("done");
  };
  const handler = { topics: [UNIT_TOPIC], members: behaviour.workers ?? 2, codec: StoredFile, handle };
  parts.push(await startWorker(ctx, SERVICE, handler));
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    token: undefined,
    log,
    add: (added) => added.add(JobsServiceDefinition, jobsRpc(ctx)),
  });
  const connection = connect(server.address, undefined);
  parts.push(server, { name: "connection", stop: async () => connection.close() });
  const [coordinator] = coordinators;
  if (!coordinator) throw new Error("A world has at least one coordinator");
  return {
    ...{ objects, queue, coordinator, started, finished, stop, jobs: connection.client(JobsServiceDefinition) },
    address: server.address,
    submit: (units, { requestId = "request", place = "place" } = {}) => {
      const folds = Array.from({ length: units }, (_, n) => n);
      return coordinator.submit(definition, { requestId, splitId: place, folds }, "tester");
    },
  };
}

/** Returns the states a job is seen in until it ends; the last is its end. */
export async function watchToEnd({ jobs }: World, jobId: string): Promise<Job[]> {
  const seen: Job[] = [];
  for await (const { job } of jobs.watchJob({ jobId })) if (job) seen.push(job);
  return seen;
}

/** Returns a job that has ended. */
export async function endOf(world: World, { id }: Job): Promise<Job> {
  const last = (await watchToEnd(world, id)).at(-1);
  if (!last || !isTerminal(last)) throw new Error(`job "${id}" was watched to no end`);
  return last;
}

/** Resolves when the condition holds; throws after 20 s. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endMs = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(5);
  }
}

/** Resolves when the signal aborts, and rejects then as an aborted call does. */
export const untilAborted = (signal: AbortSignal): Promise<void> => sleep(60_000, undefined, { signal });
