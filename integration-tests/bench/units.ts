/** @file Units of no work at all through queue, store and coordinator of one process: what a unit costs, and that ten times as many cost ten times as much. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openFolderStore } from "../../services/lib/objects/folder-store.ts";
import { objectKey } from "../../services/lib/objects/object-key.ts";
import { GetStatisticsRequest } from "../../services/lib/proto/radhical/v1/extraction.ts";
import { JobState } from "../../services/lib/proto/radhical/v1/jobs.ts";
import { StoredFile } from "../../services/lib/proto/radhical/v1/work.ts";
import { openInProcessQueue } from "../../services/lib/queue/in-process-queue.ts";
import { startCoordinator } from "../../services/lib/service/jobs/coordinator.ts";
import { finishable, type JobDefinition } from "../../services/lib/service/jobs/job-definition.ts";
import { findJob, isTerminal } from "../../services/lib/service/jobs/job-store.ts";
import { planUnit } from "../../services/lib/service/jobs/units.ts";
import { startWorker } from "../../services/lib/service/jobs/worker.ts";
import { createLogger } from "../../services/lib/service/log.ts";
import { IMAGE_TOPIC } from "../../services/lib/service/topics.ts";
import { type Benchmark, type Timing, timed } from "./measure.ts";

const SERVICE = "extraction";
const MEMBERS = 4;
const POLL_MS = 20;
const nameOf = (units: number): string => `${units} units`;
const SIZES = [1_000, 10_000, 100_000];

/** A request that says how many units, in the only field of its that a job does not read. */
interface UnitsRequest {
  readonly requestId: string;
}

export const units: Benchmark = {
  name: "units",
  unit: "unit",
  onlyByName: true,
  ratios: SIZES.slice(1).map((size, i) => ({
    name: `units/s, ${size} / ${SIZES[i]}`,
    of: nameOf(size),
    to: nameOf(SIZES[i] ?? 0),
    by: "rate" as const,
  })),
  open: async ({ small }) => {
    const sizes = small ? SIZES.slice(0, -1) : SIZES;
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = {};
        for (const size of n === 0 ? SIZES.slice(0, 1) : sizes) timings[nameOf(size)] = await runUnits(size);
        return timings;
      },
      close: async () => undefined,
    };
  },
};

const definition: JobDefinition<UnitsRequest> = {
  kind: "bench",
  unit: "units",
  codec: {
    encode: ({ requestId }, writer) => GetStatisticsRequest.encode({ patchSetId: requestId }, writer),
    decode: (input) => ({ requestId: GetStatisticsRequest.decode(input).patchSetId }),
  },
  plan: async ({ requestId }) => ({
    resultId: requestId,
    units: {
      *[Symbol.iterator]() {
        for (let n = 0; n < Number(requestId); n++) {
          const outputKey = objectKey("outputs", requestId, String(n));
          yield planUnit({
            topic: IMAGE_TOPIC,
            key: `${n}`,
            codec: StoredFile,
            task: { path: "", key: "" },
            outputKey,
          });
        }
      },
    },
  }),
  finish: async () => undefined,
};

/** Runs one job to its end, in a folder of its own that must not remember the last one. */
async function runUnits(count: number): Promise<Timing> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
  const log = createLogger("bench", "error");
  const objects = await openFolderStore(folder);
  const queue = await openInProcessQueue({ folder: join(folder, ".attempts"), log });
  const ctx = { objects, queue, log };
  try {
    const options = { service: SERVICE, definitions: [finishable(definition)], topics: [IMAGE_TOPIC] };
    const coordinator = await startCoordinator(ctx, options);
    const handle = async (): Promise<Uint8Array> => Buffer.from("done");
    const handler = { topics: [IMAGE_TOPIC], members: MEMBERS, codec: StoredFile, handle };
    const worker = await startWorker(ctx, SERVICE, handler);
    const timing = await timed(count, async () => {
      const { id } = await coordinator.submit(definition, { requestId: String(count) }, "bench");
      for (;;) {
        const found = await findJob(objects, SERVICE, id);
        if (found?.job.state === JobState.JOB_STATE_SUCCEEDED) return;
        if (found && isTerminal(found.job)) throw new Error(`The job of ${count} units failed: ${found.job.reason}`);
        await sleep(POLL_MS);
      }
    });
    await worker.stop();
    await coordinator.stop();
    return timing;
  } finally {
    await queue.close();
    await objects.close();
    await rm(folder, { recursive: true, force: true });
  }
}
