/** @file The training service. */
import {
  type Model,
  TrainingServiceDefinition,
  type TrainingServiceImplementation,
} from "../lib/proto/radhical/v1/training.ts";
import { callerOf } from "../lib/service/caller.ts";
import { MODEL, MODEL_SET } from "../lib/service/document-kinds.ts";
import { readDocument } from "../lib/service/documents.ts";
import { sendFiles } from "../lib/service/files.ts";
import { startCoordinator } from "../lib/service/jobs/coordinator.ts";
import { finishable } from "../lib/service/jobs/job-definition.ts";
import { startWorker } from "../lib/service/jobs/worker.ts";
import type { ServiceDefinition } from "../lib/service/service.ts";
import { TRAIN_TOPIC } from "../lib/service/topics.ts";
import { asTold, importModel } from "./models.ts";
import { trainJobs } from "./train.ts";
import { trainWorker } from "./train-worker.ts";

const byFoldAndLevel = (a: Model, b: Model): number => a.fold - b.fold || a.level - b.level;

/** Trains networks and holds models. */
export const training: ServiceDefinition = {
  name: "training",
  start: async (platform) => {
    const { objects } = platform;
    const jobs = trainJobs(platform);
    const coordinator = await startCoordinator(platform, {
      service: "training",
      definitions: [finishable(jobs)],
      topics: [TRAIN_TOPIC],
    });
    const worker = await startWorker(platform, "training", trainWorker(platform));
    const rpcs: TrainingServiceImplementation = {
      train: async (request, context) => ({ job: await coordinator.submit(jobs, request, callerOf(context)) }),
      listModels: async ({ modelSetId }) => ({
        models: (await readDocument(objects, MODEL_SET, modelSetId)).models.map(asTold).sort(byFoldAndLevel),
      }),
      describeModel: async ({ modelId }) => {
        const { model, manifest } = await readDocument(objects, MODEL, modelId);
        return { model: model && asTold(model), manifest };
      },
      fetchModel: async function* ({ modelId }) {
        const { key } = await readDocument(objects, MODEL, modelId);
        yield* sendFiles(objects, [{ path: "model.onnx", key }]);
      },
      importModel: importModel(platform),
    };
    return { parts: [coordinator, worker], add: (server) => server.add(TrainingServiceDefinition, rpcs) };
  },
};
