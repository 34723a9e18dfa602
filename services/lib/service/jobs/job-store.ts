/** @file Job state in the object store: `jobs/<service>/<job id>/{job,plan-<id>,plan-<id>-<part>,dead/…}`. `job` changes by conditional put only. */
import { DomainError } from "../../errors.ts";
import { objectKey } from "../../objects/object-key.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { Job, JobState } from "../../proto/radhical/v1/jobs.ts";
import type { PlannedUnit } from "../../proto/radhical/v1/work.ts";
import { contentId, isId } from "../content-id.ts";
import { encode } from "../documents.ts";
import { recordJob } from "../events.ts";
import { openPlan, putPlan, type StoredPlan } from "./plan-store.ts";

/** A job and the ETag it was read with. */
export interface StoredJob {
  readonly job: Job;
  readonly etag: string;
}

/** Returns the id of the job that a request id stands for at a service. */
export const jobId = (service: string, requestId: string): string => contentId("job", service, requestId);

/** Says whether a job has ended. */
export const isTerminal = (job: Job): boolean =>
  job.state === JobState.JOB_STATE_SUCCEEDED ||
  job.state === JobState.JOB_STATE_FAILED ||
  job.state === JobState.JOB_STATE_CANCELLED;

const STATE_WORDS: Readonly<Record<JobState, string>> = {
  [JobState.JOB_STATE_UNSPECIFIED]: "unknown",
  [JobState.JOB_STATE_QUEUED]: "queued",
  [JobState.JOB_STATE_RUNNING]: "running",
  [JobState.JOB_STATE_CANCELLING]: "cancelling",
  [JobState.JOB_STATE_SUCCEEDED]: "succeeded",
  [JobState.JOB_STATE_FAILED]: "failed",
  [JobState.JOB_STATE_CANCELLED]: "cancelled",
  [JobState.UNRECOGNIZED]: "unknown",
};

/** Returns a state in people's words. */
export const stateWord = (state: JobState): string => STATE_WORDS[state];

const jobKey = (service: string, id: string): string => objectKey("jobs", service, id, "job");
/** A plan belongs to one request and version: what a submission left that died before it made its job is never another's plan. */
const planKey = ({ service, id, requestSha256, softwareVersion }: Job): string =>
  objectKey("jobs", service, id, `plan-${contentId(requestSha256, softwareVersion)}`);

/** Returns a service's job, or undefined. */
export async function findJob(objects: ObjectStore, service: string, id: string): Promise<StoredJob | undefined> {
  const found = await objects.find(jobKey(service, id));
  return found ? { job: Job.decode(found.bytes), etag: found.etag } : undefined;
}

/** Returns the ETag of a service's job without reading it. */
export async function jobEtag(objects: ObjectStore, service: string, id: string): Promise<string | undefined> {
  return (await objects.head(jobKey(service, id)))?.etag;
}

/**
 * Stores a new job with its plan; the plan first, so that no job is ever without one. The job's total is made here, as the units are
 * taken. Undefined: the job is there already.
 */
export async function createJob(
  objects: ObjectStore,
  given: Job,
  plan: { readonly request: Uint8Array; readonly units: Iterable<PlannedUnit> },
): Promise<StoredJob | undefined> {
  let total = 0n;
  const counted = function* (): Generator<PlannedUnit> {
    for (const unit of plan.units) {
      total += unit.amount;
      yield unit;
    }
  };
  await putPlan(objects, planKey(given), { request: plan.request, units: counted() });
  const job = { ...given, total };
  const etag = await objects.put(jobKey(job.service, job.id), encode(Job, job), { ifAbsent: true });
  return etag === undefined ? undefined : { job, etag };
}

/** Returns a job's plan. */
export const readPlan = (objects: ObjectStore, job: Job): Promise<StoredPlan> => openPlan(objects, planKey(job));

/**
 * Applies `change` to the stored job until a conditional put succeeds, and returns what is stored.
 * `change` returns undefined to leave the job as it is; a job that has ended is never changed.
 */
export const updateJob = (
  objects: ObjectStore,
  current: StoredJob,
  change: (job: Job) => Partial<Job> | undefined,
): Promise<StoredJob> => changeJob(objects, current, (job) => (isTerminal(job) ? undefined : change(job)));

/** Gives a job its next life if it has failed, and returns what is stored: the one way back from an end (Job.life in jobs.proto). */
export const reviveJob = (objects: ObjectStore, current: StoredJob): Promise<StoredJob> =>
  changeJob(objects, current, ({ state, life }) =>
    state === JobState.JOB_STATE_FAILED
      ? { state: JobState.JOB_STATE_QUEUED, life: life + 1, reason: "", detail: "", deadUnits: 0n }
      : undefined,
  );

async function changeJob(
  objects: ObjectStore,
  current: StoredJob,
  change: (job: Job) => Partial<Job> | undefined,
): Promise<StoredJob> {
  for (let stored = current; ; ) {
    const fields = change(stored.job);
    if (!fields) return stored;
    const job = { ...stored.job, ...fields, updatedAt: new Date() };
    const etag = await objects.put(jobKey(job.service, job.id), encode(Job, job), { ifMatch: stored.etag });
    if (etag !== undefined) {
      // The conditional put decides whose end it is, so that each job's end is told once.
      if (isTerminal(job)) recordJob(job, stateWord(job.state));
      return { job, etag };
    }
    const found = await findJob(objects, job.service, job.id);
    if (!found) throw new DomainError("dataLoss", "JOB_LOST", `Cannot update job "${job.id}": its state is gone`);
    stored = found;
  }
}

/** Yields the jobs of a service, or of all. */
export async function* listJobs(objects: ObjectStore, service?: string): AsyncGenerator<StoredJob> {
  const prefix = service === undefined ? "jobs/" : `jobs/${service}/`;
  for await (const { key } of objects.list(prefix)) {
    const [, owner, id, name] = key.split("/");
    if (name !== "job" || !owner || !id) continue;
    const found = await findJob(objects, owner, id);
    if (found) yield found;
  }
}

/** Returns the job with this id, whichever service owns it. Throws notFound JOB_NOT_FOUND. */
export async function getJob(objects: ObjectStore, services: readonly string[], id: string): Promise<StoredJob> {
  if (isId(id)) {
    for (const service of services) {
      const found = await findJob(objects, service, id);
      if (found) return found;
    }
  }
  throw new DomainError("notFound", "JOB_NOT_FOUND", `Cannot find job "${id}"`);
}
