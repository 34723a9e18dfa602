/** @file Submitting a job and following it to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError } from "../lib/errors.ts";
import { type Job, JobState } from "../lib/proto/radhical/v1/jobs.ts";
import { contentId } from "../lib/service/content-id.ts";
import { type Codec, encode } from "../lib/service/documents.ts";
import { isTerminal } from "../lib/service/jobs/job-store.ts";
import type { ServiceName } from "../lib/service/service-names.ts";
import type { Output } from "./output.ts";
import type { Services } from "./services.ts";

export interface Submission<Request extends { readonly requestId: string }> {
  readonly service: ServiceName;
  /** For people: "training". */
  readonly what: string;
  readonly codec: Codec<Request>;
  /**
   * All that the job depends on, its request id empty: that is made here, a function of the rest, so that the same command finds the
   * same job.
   */
  readonly request: Request;
  readonly submit: (request: Request) => Promise<{ readonly job?: Job | undefined }>;
}

const isLost = (job: Job): boolean => isTerminal(job) && job.state !== JobState.JOB_STATE_SUCCEEDED;

/**
 * Returns the result's id of a job that succeeded. A job of an earlier command that failed or was cancelled is submitted again, as
 * `<request id>.2` and so on: its finished units are found done. Throws JOB_FAILED with the job's reason.
 */
export async function runJob<Request extends { readonly requestId: string }>(
  services: Services,
  output: Output,
  submission: Submission<Request>,
): Promise<string> {
  const job = await submitFresh(submission);
  const ended = await Promise.race([
    watchJob(services.jobs(submission.service), submission.what, job.id, output),
    services.failed,
  ]);
  if (ended.state === JobState.JOB_STATE_SUCCEEDED) {
    if (ended.note !== "") output.note(ended.note);
    return ended.resultId;
  }
  const why = ended.state === JobState.JOB_STATE_CANCELLED ? "it was cancelled" : ended.reason;
  throw new DomainError("failedPrecondition", "JOB_FAILED", `Cannot finish ${submission.what}: ${why}`);
}

async function submitFresh<Request extends { readonly requestId: string }>({
  service,
  what,
  codec,
  request,
  submit,
}: Submission<Request>): Promise<Job> {
  const requestId = contentId("run", service, what, encode(codec, request));
  for (let attempt = 1; ; attempt++) {
    const { job } = await submit({ ...request, requestId: attempt === 1 ? requestId : `${requestId}.${attempt}` });
    if (!job)
      throw new DomainError("unavailable", "JOB_MISSING", `Cannot start ${what}: the service answered without a job`);
    if (!isLost(job)) return job;
  }
}

/** Breaks in a row that a watch survives: with the waits between them some two minutes. */
const MAX_BREAKS = 10;
const LONGEST_WAIT_MS = 15_000;

/** Follows a job to its end and returns it. A watcher whose connection breaks asks again; the job's state is whole in every message. */
export async function watchJob(
  jobs: ReturnType<Services["jobs"]>,
  what: string,
  jobId: string,
  output: Output,
): Promise<Job> {
  for (let breaks = 0; ; ) {
    try {
      for await (const { job } of jobs.watchJob({ jobId })) {
        if (!job) continue;
        breaks = 0;
        const { unit, detail } = job;
        const done = job.state === JobState.JOB_STATE_SUCCEEDED ? job.total : job.done;
        output.progress(what, { done: Number(done), total: Number(job.total), unit, detail });
        if (isTerminal(job)) return job;
      }
      throw new DomainError("unavailable", "WATCH_ENDED", `Cannot follow ${what}: the service ended the watch`);
    } catch (error) {
      const mayPass = error instanceof DomainError && error.kind === "unavailable";
      if (!mayPass || ++breaks > MAX_BREAKS) throw error;
      await sleep(Math.min(250 * 2 ** breaks, LONGEST_WAIT_MS));
    }
  }
}
