/**
 * @file What a tile of the default side costs beside its computing: processor time of a worker process on real Kafka and S3 that is not in
 * its networks, less that of the same tiles by the same handler with objects in memory and messages in an array (what a network takes
 * differs by more between two processes than all the rest); and how many objects and messages it leaves.
 */
import { levelWorker } from "../../services/inference/level-worker.ts";
import { createNetworks } from "../../services/inference/networks.ts";
import { createTilePixels } from "../../services/inference/tile-pixels.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import { LevelTask } from "../../services/lib/proto/radhical/v1/work.ts";
import type { Message, Queue } from "../../services/lib/queue/queue.ts";
import { openRuntime } from "../../services/lib/runtime/runtime.ts";
import { createImageStore } from "../../services/lib/service/image-store.ts";
import { listJobs, readPlan } from "../../services/lib/service/jobs/job-store.ts";
import { ASSEMBLE_TOPIC } from "../../services/lib/service/topics.ts";
import { type BenchDeployment, cpuSeconds, openDeployment } from "./deployment.ts";
import { LEVELS, openTileBench } from "./distributed-tiles.ts";
import { type Benchmark, busiestThread, type Timing, timedCpu } from "./measure.ts";

const DEFAULT_TILE = 0;
const SERVICE = "segmentation";
const nothing = async (): Promise<void> => undefined;
const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0);

export const overhead: Benchmark = {
  name: "overhead",
  unit: "tile",
  onlyByName: true,
  ratios: [
    { name: "queue and objects / computing, CPU", of: "queue and objects", to: "computing", by: "seconds" },
    { name: "outside the networks / networks, CPU", of: "outside the networks", to: "networks", by: "seconds" },
    {
      name: "  with neither queue nor objects",
      of: "outside them, computing",
      to: "networks, computing",
      by: "seconds",
    },
    { name: "objects / (tile and level)", of: "objects", to: "tiles and levels", by: "amount" },
    { name: "messages / (tile and level)", of: "messages", to: "tiles and levels", by: "amount" },
  ],
  open: async ({ small }) => {
    const deployment = await openDeployment();
    try {
      const bench = await openTileBench(deployment, small ? 2_000 : 4_000);
      const worker = await deployment.serve(["inference"], 0);
      await bench.segment(DEFAULT_TILE);
      const bare = await openBare(deployment);
      return {
        round: async () => {
          const [cpuBefore, sentBefore] = [await cpuSeconds(worker), total(await deployment.messages())];
          const segmented = await busiestThread(() => bench.segment(DEFAULT_TILE), worker.child.pid);
          const { tiles, seconds, keys } = segmented.result;
          const [spent, sent] = [
            (await cpuSeconds(worker)) - cpuBefore,
            total(await deployment.messages()) - sentBefore,
          ];
          const bared = await busiestThread(() => bare.compute(tiles));
          const computing = bared.result;
          const outside = spent - segmented.seconds;
          const outsideBare = computing.seconds - bared.seconds;
          return {
            worker: { amount: tiles, seconds: spent },
            computing,
            networks: { amount: tiles, seconds: segmented.seconds },
            "networks, computing": { amount: tiles, seconds: bared.seconds },
            "outside the networks": { amount: tiles, seconds: outside },
            "outside them, computing": { amount: tiles, seconds: outsideBare },
            "queue and objects": { amount: tiles, seconds: Math.max(outside - outsideBare, 1e-3) },
            wall: { amount: tiles, seconds },
            objects: { amount: keys.size, seconds },
            messages: { amount: sent, seconds },
            "tiles and levels": { amount: tiles * LEVELS, seconds },
          };
        },
        close: async () => {
          await bare.close();
          await deployment.close();
        },
      };
    } catch (error) {
      await deployment.close();
      throw error;
    }
  },
};

/** Objects in memory: those of the deployment that tiles are computed from, and nothing that costs time. */
function memoryStore(source: ObjectStore) {
  const kept = new Map<string, Uint8Array>();
  const own = new Map<string, Uint8Array>();
  const find = async (key: string) => {
    const bytes = own.get(key) ?? kept.get(key);
    if (bytes) return { bytes, etag: key };
    // States and results are this store's own; models and images come from the other, once.
    const found = key.startsWith("segmentations/") ? undefined : await source.find(key);
    if (found) kept.set(key, found.bytes);
    return found;
  };
  const store: ObjectStore = {
    ...source,
    find,
    get: async (key) => (await find(key))?.bytes ?? source.get(key),
    head: async (key) => {
      const found = await find(key);
      return found && { key, size: found.bytes.byteLength, etag: found.etag };
    },
    put: async (key, body) => {
      if (!(body instanceof Uint8Array)) throw new Error("Only bytes are kept in memory");
      own.set(key, body);
      return key;
    },
  };
  return { store, forget: () => own.clear() };
}

/** The same tiles by the handler that workers have, one after another, in this process. */
async function openBare(deployment: BenchDeployment) {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  const { store: objects, forget } = memoryStore(deployment.store);
  const passed: Message[] = [];
  const queue: Queue = {
    requireTopics: nothing,
    publish: async (_topic, messages) => void passed.push(...messages),
    consume: () => Promise.reject(new Error("Nobody consumes")),
    backlog: async () => [],
    close: nothing,
  };
  const networks = createNetworks(objects, async () => runtime);
  const images = createImageStore(objects, 1e9);
  const ctx = { objects, queue, images, networks, pixels: createTilePixels(), workers: 1 };
  const planned: Message[] = [];
  for await (const { job } of listJobs(deployment.store, SERVICE)) {
    for await (const { topic, key, message } of await readPlan(deployment.store, job))
      if (topic !== ASSEMBLE_TOPIC) planned.push({ key, value: message });
    break;
  }
  const { signal } = new AbortController();
  const unit = { signal, outputKey: "segmentations/bare", headers: {}, progress: nothing };
  const run = async (): Promise<void> => {
    forget();
    passed.push(...planned);
    for (let next = passed.shift(); next; next = passed.shift()) {
      const task = LevelTask.decode(next.value);
      const level = task.work?.$case === "cascade" ? task.work.value.level : 1;
      await levelWorker(ctx, level).handle(task, unit);
    }
  };
  await run();
  return {
    compute: (tiles: number): Promise<Timing> => timedCpu(tiles, run),
    close: () => runtime.close(),
  };
}
