/** @file Submitting a job and following it to its end. */
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { DomainError } from "../lib/errors.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { SAMPLING_RULE } from "../lib/method/sampling.ts";
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
  const { service, what } = submission;
  const follow = ({ id }: Job): Promise<Job> => watchJob(services.jobs(service), what, id, output);
  const ended = await Promise.race([submitFresh(submission).then(follow), services.failed]);
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
  // what was made of other pixels, or of centres drawn otherwise, is made anew
  const requestId = contentId("run", NORMALISATION, SAMPLING_RULE, service, what, encode(codec, request));
  for (let attempt = 1; ; attempt++) {
    const numbered = { ...request, requestId: attempt === 1 ? requestId : `${requestId}.${attempt}` };
    // The same request id is the same job: it may be submitted until a coordinator that starts anew answers.
    const { job } = await pRetry(() => submit(numbered), {
      retries: MAX_BREAKS,
      minTimeout: FIRST_WAIT_MS,
      maxTimeout: LONGEST_WAIT_MS,
      shouldRetry: ({ error }) => mayPass(error),
    });
    if (!job)
      throw new DomainError("unavailable", "JOB_MISSING", `Cannot start ${what}: the service answered without a job`);
    if (!isLost(job)) return job;
  }
}

/** Breaks in a row that a submission or a watch survives: with the waits between them some two minutes. */
const MAX_BREAKS = 10;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

const mayPass = (error: unknown): boolean => error instanceof DomainError && error.kind === "unavailable";

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
      if (!mayPass(error) || ++breaks > MAX_BREAKS) throw error;
      await sleep(Math.min(FIRST_WAIT_MS * 2 ** (breaks - 1), LONGEST_WAIT_MS));
    }
  }
}
