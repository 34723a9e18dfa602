/** @file The method's first steps by RPC, on a scale that tests of later jobs can afford. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runJob } from "../services/cli/follow-job.ts";
import { importModels } from "../services/cli/model-folder.ts";
import { levelModels } from "../services/cli/run-steps.ts";
import type { Services } from "../services/cli/services.ts";
import { importFile } from "../services/cli/transfer.ts";
import {
  Annotation,
  BuildRequest,
  ImportPurpose,
  MaskKind,
  SplitRequest,
} from "../services/lib/proto/radhical/v1/datasets.ts";
import { ExtractRequest } from "../services/lib/proto/radhical/v1/extraction.ts";
import type { LevelModel } from "../services/lib/proto/radhical/v1/inference.ts";
import { type Job, JobState } from "../services/lib/proto/radhical/v1/jobs.ts";
import {
  Optimizer,
  RateSchedule,
  type TrainingSettings,
  TrainRequest,
} from "../services/lib/proto/radhical/v1/training.ts";
import { seededModel } from "./seeded-models.ts";
import { silent } from "./serving.fixture.ts";
import { writeTissueCohort } from "./synthetic-tissue.ts";

const COUNTS = { positive: 20, edge: 20, background: 10, nucleus: 20, mixed: 20, none: 20 };
const IMAGES = 7;

/** Writes images of a patient each to a folder, imports them with their masks and returns the id of their cohort. */
export async function importTissueCohort(
  services: Services,
  folder: string,
  { patients, size, seed }: { readonly patients: number; readonly size: number; readonly seed: number },
): Promise<string> {
  await writeTissueCohort(folder, { patients, imagesPerPatient: 1, size, seed });
  const members: { imageId: string; maskId: string; patient: number }[] = [];
  for (const [patient, name] of (await readdir(join(folder, "images"))).sort().entries()) {
    const image = await importFile(services, join(folder, "images", name), ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const mask = await importFile(services, join(folder, "masks", name), ImportPurpose.IMPORT_PURPOSE_MASK);
    members.push({ imageId: image.imageId, maskId: mask.imageId, patient });
  }
  const annotation = Annotation.ANNOTATION_COMPLETE;
  const cohort = { members, annotation, maskKind: MaskKind.MASK_KIND_AUTO, mpp: 0.25 };
  return (await services.datasets.createCohort({ cohort })).cohortId;
}

/** Imports images of a patient each, `size` pixels a side, as a cohort of which some patches of every class are to be cut. */
export async function smallCohort(
  services: Services,
  folder: string,
  { images = IMAGES, size = 64, reductions = [1] }: { images?: number; size?: number; reductions?: number[] } = {},
): Promise<ExtractRequest> {
  const cohortId = await importTissueCohort(services, folder, { patients: images, size, seed: 11 });
  return { requestId: "", cohortId, sampling: { reductions, seed: 1n, ...COUNTS } };
}

/** Cuts the patches of a cohort. Returns the id of the patch set. */
export const extractSmall = (services: Services, request: ExtractRequest): Promise<string> =>
  runJob(services, silent, {
    service: "extraction",
    what: "patches",
    codec: ExtractRequest,
    request,
    submit: (numbered) => services.extraction.extract(numbered),
  });

/** Splits a patch set by patient. Returns the id of the split. */
export const splitSmall = (services: Services, patchSetId: string): Promise<string> =>
  runJob(services, silent, {
    service: "datasets",
    what: "lists",
    codec: SplitRequest,
    request: { requestId: "", patchSetId, folds: IMAGES, seed: 1n },
    submit: (request) => services.datasets.split(request),
  });

/** Builds the databases of the first fold of a split. Returns the id of the database set. */
export const buildSmall = (services: Services, splitId: string): Promise<string> =>
  runJob(services, silent, {
    service: "datasets",
    what: "databases",
    codec: BuildRequest,
    request: { requestId: "", splitId, folds: [1] },
    submit: (request) => services.datasets.build(request),
  });

/** Trains the networks of a database set. Returns the id of the model set. */
export const trainSmall = (services: Services, databaseSetId: string, settings: TrainingSettings): Promise<string> =>
  runJob(services, silent, {
    service: "training",
    what: "training",
    codec: TrainRequest,
    request: { requestId: "", databaseSetId, settings },
    submit: (request) => services.training.train(request),
  });

/** Returns the id of a database set of one level: seven images of a patient each, some patches of every class. */
export async function smallDatabases(services: Services, folder: string): Promise<string> {
  const patchSetId = await extractSmall(services, await smallCohort(services, folder));
  return buildSmall(services, await splitSmall(services, patchSetId));
}

/** Returns settings of a training of small batches; `iterations` says how long it takes. */
export const smallTraining = (iterations: number): TrainingSettings => ({
  iterations,
  batchSize: 8,
  learningRate: 0.003,
  initialAccumulator: 0.1,
  weightDecay: 0.004,
  seed: 1n,
  network: "",
  coarseNetwork: "",
  members: 2,
  stainJitter: 0,
  averagedSteps: 0,
  optimizer: Optimizer.OPTIMIZER_ADAM,
  rateSchedule: RateSchedule.RATE_SCHEDULE_COSINE,
});

/** Imports models that were never trained, levels 1 and 2. */
export async function seededLevels(services: Services): Promise<LevelModel[]> {
  const levels = [seededModel(1, 1, 1), seededModel(2, 4, 1)];
  return levelModels(await importModels(services, { levels }));
}

const isOver = ({ state }: Job): boolean =>
  state === JobState.JOB_STATE_SUCCEEDED ||
  state === JobState.JOB_STATE_FAILED ||
  state === JobState.JOB_STATE_CANCELLED;

/** Watches a job to its end; returns every state of it that was told. */
export async function watchToEnd(services: Services, jobId: string): Promise<Job[]> {
  const seen: Job[] = [];
  for await (const { job } of services.jobs("training").watchJob({ jobId })) if (job) seen.push(job);
  const last = seen.at(-1);
  if (!last || !isOver(last)) throw new Error(`The watch of job "${jobId}" ended before the job`);
  return seen;
}

/** Watches a job until it is as wanted, then stops watching. */
export async function watchUntil(services: Services, jobId: string, isWanted: (job: Job) => boolean): Promise<Job> {
  for await (const { job } of services.jobs("training").watchJob({ jobId })) {
    if (job && isWanted(job)) return job;
    if (job && isOver(job))
      throw new Error(`Job "${jobId}" ended (state ${job.state}: ${job.reason}) before it was as wanted`);
  }
  throw new Error(`The watch of job "${jobId}" ended`);
}
