/**
 * @file A process that coordinates one job of very many tiles from Submit to its end and prints what that took. Coordinator, plan, events
 * and job state are the real ones on a real folder; the tiles' outputs are a listing that is made up, and nobody takes the messages.
 * Arguments: the store's folder, the number of tiles.
 */
import { DEFAULT_CLEANING } from "../../services/lib/method/cleaning.ts";
import { openFolderStore } from "../../services/lib/objects/folder-store.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import { JobState } from "../../services/lib/proto/radhical/v1/jobs.ts";
import { SegmentationMode } from "../../services/lib/proto/radhical/v1/segmentation.ts";
import { Model } from "../../services/lib/proto/radhical/v1/training.ts";
import { UnitEvent, UnitEventKind } from "../../services/lib/proto/radhical/v1/work.ts";
import type { ConsumeOptions, Queue } from "../../services/lib/queue/queue.ts";
import { contentId } from "../../services/lib/service/content-id.ts";
import { encode } from "../../services/lib/service/documents.ts";
import { startCoordinator } from "../../services/lib/service/jobs/coordinator.ts";
import { findJob } from "../../services/lib/service/jobs/job-store.ts";
import { createLogger } from "../../services/lib/service/log.ts";
import { storeModelDocument } from "../../services/lib/service/stored-models.fixture.ts";
import { ASSEMBLE_TOPIC, eventsTopic, levelTopic } from "../../services/lib/service/topics.ts";
import { segmentJobs } from "../../services/segmentation/submit.ts";
import type { CoordinatorCost } from "./coordinator.ts";

/** A slide of 100,000 x 100,000 pixels in tiles of the default side. */
const SLIDE_PX = 100_000;
const TILES_PER_SLIDE = 2_500;
const SERVICE = "segmentation";
const REDUCTIONS = [1, 2, 4, 10];
const [folder = "", tilesGiven = ""] = process.argv.slice(2);
const tiles = Number(tilesGiven);
const slides = Math.ceil(tiles / TILES_PER_SLIDE);
const nothing = async (): Promise<void> => undefined;

/** The folder's objects, and from `isDone` on every output that units may ask for. */
function withOutputs(objects: ObjectStore, isDone: () => boolean): ObjectStore {
  const made = (key: string) => ({ key, size: 1, etag: "made" });
  return {
    ...objects,
    head: async (key) => (isDone() && key.startsWith("segmentations/") ? made(key) : objects.head(key)),
    list: async function* (prefix) {
      if (!prefix.endsWith("/tiles/")) yield* objects.list(prefix);
      else if (isDone()) for (let n = 0; n < TILES_PER_SLIDE; n++) yield made(`${prefix}${n}`);
    },
  };
}

const published = { messages: 0 };
let handle: ConsumeOptions["handle"] = nothing;
const queue: Queue = {
  requireTopics: nothing,
  publish: async (_topic, messages) => {
    published.messages += messages.length;
  },
  consume: async (options) => {
    handle = options.handle;
    return { failed: new Promise(() => undefined), stop: nothing };
  },
  backlog: async () => [],
  close: nothing,
};

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1_000;
};

let isDone = false;
const store = await openFolderStore(folder);
const objects = withOutputs(store, () => isDone);
const levels = REDUCTIONS.map((_, i) => i + 1);
const modelOf = (level: number): string => contentId("model", level);
for (const [i, reduction] of REDUCTIONS.entries()) {
  const model = Model.fromPartial({ level: i + 1, reduction, mpp: 0.25 });
  await storeModelDocument(objects, modelOf(i + 1), { model });
}
const images = {
  describe: async () => ({
    ...{ width: SLIDE_PX, height: SLIDE_PX, purpose: 1 as const, sha256: "", pixelsKey: "", stainDensity: undefined },
  }),
};
const definition = segmentJobs({ objects, images });
const request = {
  requestId: `${tiles} tiles`,
  imageIds: Array.from({ length: slides }, (_, n) => contentId("slide", n)),
  cascade: {
    models: REDUCTIONS.map((reduction, i) => ({ modelId: modelOf(i + 1), level: i + 1, reduction, mpp: 0.25 })),
    thresholds: levels.map((level) => ({ level, lower: 0.1, upper: level > 1 ? 0.9 : undefined, final: undefined })),
    mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
    tile: 0,
    ...DEFAULT_CLEANING,
    imageMpp: 0,
  },
};
const baselineBytes = process.memoryUsage().rss;
const log = createLogger("bench", "error");
const options = {
  service: SERVICE,
  // Reads every unit, as the real one does, and no image's record.
  definitions: [
    {
      kind: definition.kind,
      finish: async (_request: Uint8Array, _id: string, units: AsyncIterable<unknown> | Iterable<unknown>) => {
        for await (const _ of units);
        return undefined;
      },
    },
  ],
  topics: [levelTopic(REDUCTIONS.length), ASSEMBLE_TOPIC],
};
const coordinator = await startCoordinator({ objects, queue, log }, options);

const delivery = { topic: eventsTopic(SERVICE), key: "", headers: {}, attempt: 1, progress: nothing };
const { signal } = new AbortController();
let jobId = "";
const tell = (unit: number): Promise<void> => {
  const event = UnitEvent.fromPartial({ jobId, unit, kind: UnitEventKind.UNIT_EVENT_KIND_DONE });
  return handle({ ...delivery, signal, value: encode(UnitEvent, event) });
};
const perSlide = TILES_PER_SLIDE + 1;
const submitSeconds = await seconds(async () => {
  jobId = (await coordinator.submit(definition, request, "bench")).id;
});
const eventSeconds = await seconds(async () => {
  for (let unit = 0; unit < slides * perSlide; unit++) if (unit % perSlide !== TILES_PER_SLIDE) await tell(unit);
});
const endSeconds = await seconds(async () => {
  isDone = true;
  for (let slide = 0; slide < slides; slide++) await tell(slide * perSlide + TILES_PER_SLIDE);
});
const job = await findJob(objects, SERVICE, jobId);
if (job?.job.state !== JobState.JOB_STATE_SUCCEEDED) throw new Error(`The job ended in state ${job?.job.state}`);
let planBytes = 0;
let planObjects = 0;
for await (const { key, size } of store.list("jobs/")) {
  if (!key.includes("/plan-")) continue;
  planBytes += size;
  planObjects++;
}
const cost: CoordinatorCost = {
  tiles: slides * TILES_PER_SLIDE,
  messages: published.messages,
  ...{ submitSeconds, eventSeconds, endSeconds, planBytes, planObjects, baselineBytes },
  peakBytes: 1024 * process.resourceUsage().maxRSS,
};
await coordinator.stop();
await store.close();
process.stdout.write(JSON.stringify(cost));
