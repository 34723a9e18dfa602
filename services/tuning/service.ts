/** @file The tuning service. */
import { TuningServiceDefinition, type TuningServiceImplementation } from "../lib/proto/radhical/v1/tuning.ts";
import { callerOf } from "../lib/service/caller.ts";
import { GRADES, TUNING } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { startCoordinator } from "../lib/service/jobs/coordinator.ts";
import { finishable } from "../lib/service/jobs/job-definition.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import type { ServiceDefinition } from "../lib/service/service.ts";
import { GRADE_TOPIC, TUNE_TOPIC } from "../lib/service/topics.ts";
import { gradeJobs, gradeWorker } from "./grade.ts";
import { tuneJobs } from "./tune.ts";
import { tuneWorker } from "./tune-worker.ts";

/** Chooses thresholds and grades segmentations. */
export const tuning: ServiceDefinition = {
  name: "tuning",
  start: async (platform) => {
    const tunings = tuneJobs(platform);
    const gradings = gradeJobs(platform);
    const coordinator = await startCoordinator(platform, {
      service: "tuning",
      definitions: [finishable(tunings), finishable(gradings)],
      topics: [TUNE_TOPIC, GRADE_TOPIC],
    });
    // A group per kind of work: on Kafka, members of a group that subscribe differently get partitions that they do not read.
    const tuner = await startWorker(platform, "tuning-tune", tuneWorker(platform));
    const grader = await startWorker(platform, "tuning-grade", gradeWorker(platform));
    const rpcs: TuningServiceImplementation = {
      tune: async (request, context) => ({ job: await coordinator.submit(tunings, request, callerOf(context)) }),
      getTuning: ({ tuningId }) => readDocument(platform.objects, TUNING, tuningId),
      grade: async (request, context) => ({ job: await coordinator.submit(gradings, request, callerOf(context)) }),
      getGrades: ({ gradesId }) => readDocument(platform.objects, GRADES, gradesId),
    };
    return { parts: [coordinator, tuner, grader], add: (server) => server.add(TuningServiceDefinition, rpcs) };
  },
};
