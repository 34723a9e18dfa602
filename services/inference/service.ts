/** @file The inference service. */
import { InferenceServiceDefinition, type InferenceServiceImplementation } from "../lib/proto/radhical/v1/inference.ts";
import { callerOf } from "../lib/service/caller.ts";
import { startCoordinator } from "../lib/service/jobs/coordinator.ts";
import { finishable } from "../lib/service/jobs/job-definition.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import { startTogether } from "../lib/service/lifecycle.ts";
import type { ServiceDefinition } from "../lib/service/service.ts";
import { allLevels, levelTopic } from "../lib/service/topics.ts";
import { evaluateJobs } from "./evaluate.ts";
import { levelWorker } from "./level-worker.ts";
import { createNetworks } from "./networks.ts";
import { predictRegion } from "./predict-region.ts";
import { createTilePixels } from "./tile-pixels.ts";

/** Turns images into probability maps, all levels or one. */
export const inference: ServiceDefinition = {
  name: "inference",
  start: async (platform, { level }) => {
    const ctx = {
      ...platform,
      networks: createNetworks(platform.objects, platform.runtime),
      pixels: createTilePixels(),
    };
    const jobs = evaluateJobs(platform);
    const topics = allLevels().map(levelTopic);
    const coordinator = await startCoordinator(platform, {
      service: "inference",
      definitions: [finishable(jobs)],
      topics,
    });
    // A group per level: its members have the same subscription, whether a process serves one level or all.
    const starts = (level === undefined ? allLevels() : [level]).map((own) =>
      startWorker(platform, `inference-level-${own}`, levelWorker(ctx, own)),
    );
    const workers = await startTogether(starts);
    const rpcs: InferenceServiceImplementation = {
      evaluate: async (request, context) => ({ job: await coordinator.submit(jobs, request, callerOf(context)) }),
      predictRegion: predictRegion(ctx),
    };
    return { parts: [coordinator, ...workers], add: (server) => server.add(InferenceServiceDefinition, rpcs) };
  },
};
