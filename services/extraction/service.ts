/** @file The extraction service. */
import {
  ExtractionServiceDefinition,
  type ExtractionServiceImplementation,
} from "../lib/proto/radhical/v1/extraction.ts";
import { callerOf } from "../lib/service/caller.ts";
import { PATCH_SET } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { startCoordinator } from "../lib/service/jobs/coordinator.ts";
import { finishable } from "../lib/service/jobs/job-definition.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import type { ServiceDefinition } from "../lib/service/service.ts";
import { IMAGE_TOPIC } from "../lib/service/topics.ts";
import { extractJobs } from "./extract.ts";
import { imageWorker } from "./image-worker.ts";
import { openSamplers } from "./samplers.ts";

/** Draws training patches from annotated images. */
export const extraction: ServiceDefinition = {
  name: "extraction",
  start: async (platform) => {
    const jobs = extractJobs(platform);
    const coordinator = await startCoordinator(platform, {
      service: "extraction",
      definitions: [finishable(jobs)],
      topics: [IMAGE_TOPIC],
    });
    const samplers = openSamplers();
    const worker = await startWorker(platform, "extraction", imageWorker({ ...platform, samplers }));
    const rpcs: ExtractionServiceImplementation = {
      extract: async (request, context) => ({ job: await coordinator.submit(jobs, request, callerOf(context)) }),
      getStatistics: async ({ patchSetId }) =>
        (await readDocument(platform.objects, PATCH_SET, patchSetId)).statistics ?? {},
    };
    return { parts: [coordinator, samplers, worker], add: (server) => server.add(ExtractionServiceDefinition, rpcs) };
  },
};
