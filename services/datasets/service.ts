/** @file The datasets service. */
import { tmpdir } from "node:os";
import { temporaryFolder } from "../lib/objects/folder-store.ts";
import { DatasetsServiceDefinition, type DatasetsServiceImplementation } from "../lib/proto/radhical/v1/datasets.ts";
import { callerOf } from "../lib/service/caller.ts";
import { DATABASE_SET, SPLIT } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { sendFiles } from "../lib/service/files.ts";
import { startCoordinator } from "../lib/service/jobs/coordinator.ts";
import { finishable } from "../lib/service/jobs/job-definition.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import type { ServiceDefinition } from "../lib/service/service.ts";
import { DATABASE_TOPIC, LIST_TOPIC } from "../lib/service/topics.ts";
import { buildJobs } from "./build.ts";
import { buildWorker } from "./build-worker.ts";
import { createCohort } from "./create-cohort.ts";
import { openCutters } from "./cutters.ts";
import { importImage } from "./import-image.ts";
import { listWorker, splitJobs } from "./split.ts";

/** Takes images in, holds cohorts, builds lists and databases. */
export const datasets: ServiceDefinition = {
  name: "datasets",
  start: async (platform) => {
    const { objects, config } = platform;
    const splits = splitJobs(platform);
    const builds = buildJobs(platform);
    const coordinator = await startCoordinator(platform, {
      service: "datasets",
      definitions: [finishable(splits), finishable(builds)],
      topics: [LIST_TOPIC, DATABASE_TOPIC],
    });
    // A group per kind of work: on Kafka, members of a group that subscribe differently get partitions that they do not read.
    const lister = await startWorker(platform, "datasets-list", listWorker(platform));
    // Beside objects in a folder, where what a killed process left is removed.
    const scratch = config.objects.kind === "folder" ? temporaryFolder(config.objects.folder) : tmpdir();
    const cutters = openCutters();
    const builder = await startWorker(platform, "datasets-database", buildWorker({ ...platform, cutters, scratch }));
    const rpcs: DatasetsServiceImplementation = {
      importImage: importImage(platform),
      createCohort: createCohort(platform),
      split: async (request, context) => ({ job: await coordinator.submit(splits, request, callerOf(context)) }),
      describeSplit: async ({ splitId }) => ({ folds: (await readDocument(objects, SPLIT, splitId)).folds }),
      fetchSplit: async function* ({ splitId }) {
        yield* sendFiles(objects, (await readDocument(objects, SPLIT, splitId)).files);
      },
      build: async (request, context) => ({ job: await coordinator.submit(builds, request, callerOf(context)) }),
      describeDatabases: async ({ databaseSetId }) => {
        const { records } = await readDocument(objects, DATABASE_SET, databaseSetId);
        const databases = records.flatMap(({ train, test }) => [train?.database, test?.database]);
        return { databases: databases.filter((database) => database !== undefined) };
      },
      fetchDatabases: async function* ({ databaseSetId }) {
        const { records } = await readDocument(objects, DATABASE_SET, databaseSetId);
        yield* sendFiles(
          objects,
          records.flatMap(({ files }) => files),
        );
      },
    };
    return {
      parts: [coordinator, lister, cutters, builder],
      add: (server) => server.add(DatasetsServiceDefinition, rpcs),
    };
  },
};
