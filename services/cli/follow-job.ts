/** @file Submitting a job and following it to its end. */
import pRetry from "p-retry";
import { DomainError } from "../lib/errors.ts";
import { type Job, JobState } from "../lib/proto/radhical/v1/jobs.ts";
import type { ServiceName } from "../lib/service/service.ts";
import type { Output } from "./output.ts";
import type { Services } from "./services.ts";

export interface Submission {
  readonly service: ServiceName;
  /** For people: "training". */
  readonly what: string;
  /** A function of the inputs, so that the same command finds the same job. */
  readonly requestId: string;
  readonly submit: (requestId: string) => Promise<{ readonly job?: Job | undefined }>;
}

const isOver = ({ state }: Job): boolean =>
  state === JobState.JOB_STATE_SUCCEEDED ||
  state === JobState.JOB_STATE_FAILED ||
  state === JobState.JOB_STATE_CANCELLED;

const isLost = (job: Job): boolean => isOver(job) && job.state !== JobState.JOB_STATE_SUCCEEDED;

/**
 * Returns the result's id of a job that succeeded. A job of an earlier command that failed or was cancelled is submitted again, as
 * `<request id>.2` and so on: its finished units are found done. Throws JOB_FAILED with the job's reason.
 */
export async function runJob(services: Services, output: Output, submission: Submission): Promise<string> {
  const job = await submitFresh(submission);
  const ended = await watch(services, submission, job, output);
  if (ended.state === JobState.JOB_STATE_SUCCEEDED) {
    if (ended.note !== "") output.note(ended.note);
    return ended.resultId;
  }
  const why = ended.state === JobState.JOB_STATE_CANCELLED ? "it was cancelled" : ended.reason;
  throw new DomainError("failedPrecondition", "JOB_FAILED", `Cannot finish ${submission.what}: ${why}`);
}

async function submitFresh({ what, requestId, submit }: Submission): Promise<Job> {
  for (let attempt = 1; ; attempt++) {
    const { job } = await submit(attempt === 1 ? requestId : `${requestId}.${attempt}`);
    if (!job)
      throw new DomainError("unavailable", "JOB_MISSING", `Cannot start ${what}: the service answered without a job`);
    if (!isLost(job)) return job;
  }
}

/** A watcher whose connection breaks asks again; the job's state is whole in every message. */
function watch(services: Services, { service, what }: Submission, submitted: Job, output: Output): Promise<Job> {
  const look = async (): Promise<Job> => {
    for await (const { job } of services.jobs(service).watchJob({ jobId: submitted.id })) {
      if (!job) continue;
      const { unit, detail } = job;
      const done = job.state === JobState.JOB_STATE_SUCCEEDED ? job.total : job.done;
      output.progress(what, { done: Number(done), total: Number(job.total), unit, detail });
      if (isOver(job)) return job;
    }
    throw new DomainError("unavailable", "WATCH_ENDED", `Cannot follow ${what}: the service ended the watch`);
  };
  return pRetry(look, {
    retries: 5,
    shouldRetry: ({ error }) => error instanceof DomainError && error.kind === "unavailable",
  });
}
