/** @file The segmentation service. */
import { DomainError } from "../lib/errors.ts";
import {
  SegmentationServiceDefinition,
  type SegmentationServiceImplementation,
  type SegmentedImage,
} from "../lib/proto/radhical/v1/segmentation.ts";
import { callerOf } from "../lib/service/caller.ts";
import { SEGMENTATION } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { sendFiles } from "../lib/service/files.ts";
import { startCoordinator } from "../lib/service/jobs/coordinator.ts";
import { finishable } from "../lib/service/jobs/job-definition.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import type { ServiceDefinition } from "../lib/service/service.ts";
import { ASSEMBLE_TOPIC, allLevels, levelTopic } from "../lib/service/topics.ts";
import { assembleWorker } from "./assemble.ts";
import { segmentJobs } from "./submit.ts";

/** Coordinates the cascade. */
export const segmentation: ServiceDefinition = {
  name: "segmentation",
  start: async (platform) => {
    const { objects } = platform;
    const jobs = segmentJobs(platform);
    const topics = [ASSEMBLE_TOPIC, ...allLevels().map(levelTopic)];
    const coordinator = await startCoordinator(platform, {
      service: "segmentation",
      definitions: [finishable(jobs)],
      topics,
    });
    const assembler = await startWorker(platform, "segmentation", assembleWorker(platform));
    const rpcs: SegmentationServiceImplementation = {
      submit: async (request, context) => ({ job: await coordinator.submit(jobs, request, callerOf(context)) }),
      getResult: async ({ segmentationId }) => {
        const { records } = await readDocument(objects, SEGMENTATION, segmentationId);
        return {
          images: records.map(({ image }) => image).filter((image): image is SegmentedImage => image !== undefined),
        };
      },
      fetchResult: async function* ({ segmentationId, imageIds }) {
        const { records } = await readDocument(objects, SEGMENTATION, segmentationId);
        const stray = imageIds.find((id) => records.every(({ image }) => image?.imageId !== id));
        if (stray !== undefined)
          throw new DomainError(
            "notFound",
            "IMAGE_NOT_FOUND",
            `Cannot send results of image "${stray}": it is not of segmentation "${segmentationId}"`,
          );
        const wanted = records.filter(({ image }) => imageIds.length === 0 || imageIds.includes(image?.imageId ?? ""));
        yield* sendFiles(
          objects,
          wanted.flatMap(({ files }) => files),
        );
      },
    };
    return { parts: [coordinator, assembler], add: (server) => server.add(SegmentationServiceDefinition, rpcs) };
  },
};
