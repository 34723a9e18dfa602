/** @file JobsService: get, list, watch, cancel, dead letters and replay, answered by any service from the object store. */
import { setTimeout as sleep } from "node:timers/promises";
import { DomainError, invalid } from "../../errors.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { type DeadLetter, type Job, JobState, type JobsServiceImplementation } from "../../proto/radhical/v1/jobs.ts";
import type { Message, Queue } from "../../queue/queue.ts";
import { SERVICE_NAMES } from "../service-names.ts";
import { eventsTopic } from "../topics.ts";
import { listDeadUnits, listOrphans } from "./dead-letters.ts";
import { getJob, isTerminal, jobEtag, listJobs, reviveJob, stateWord, updateJob } from "./job-store.ts";
import { checkEvent, replayEvent } from "./units.ts";

const POLL_MS = 150;

const newestFirst = (a: Job, b: Job): number => (b.submittedAt?.getTime() ?? 0) - (a.submittedAt?.getTime() ?? 0);

/** What fits a message, with the longest reasons there can be. */
const MAX_LETTERS = 5_000;

/** Those of no job come last. */
const byJobAndUnit = (a: DeadLetter, b: DeadLetter): number =>
  Number(a.jobId === "") - Number(b.jobId === "") || a.jobId.localeCompare(b.jobId) || a.unit - b.unit;

async function* lettersOf(objects: ObjectStore, jobId: string): AsyncGenerator<DeadLetter> {
  if (jobId !== "") return yield* listDeadUnits(objects, (await getJob(objects, SERVICE_NAMES, jobId)).job);
  for await (const { job } of listJobs(objects)) yield* listDeadUnits(objects, job);
  yield* listOrphans(objects);
}

const notFailed = ({ id, state }: Job): DomainError => {
  const message = `Cannot replay job "${id}": it is ${stateWord(state)}, and only a failed job has something to try again`;
  return new DomainError("failedPrecondition", "JOB_NOT_FAILED", message);
};

/** Returns the implementation of JobsService. */
export function jobsRpc(ctx: { readonly objects: ObjectStore; readonly queue: Queue }): JobsServiceImplementation {
  const tell = async ({ service }: Job, event: Message): Promise<void> => {
    await ctx.queue.requireTopics([eventsTopic(service)]);
    await ctx.queue.publish(eventsTopic(service), [event]);
  };
  return {
    getJob: async ({ jobId }) => ({ job: (await getJob(ctx.objects, SERVICE_NAMES, jobId)).job }),

    listJobs: async ({ service }) => {
      if (service !== "" && !SERVICE_NAMES.some((name) => name === service))
        throw invalid("SERVICE_UNKNOWN", `Cannot list jobs of "${service}": services are ${SERVICE_NAMES.join(", ")}`);
      const jobs: Job[] = [];
      for await (const { job } of listJobs(ctx.objects, service === "" ? undefined : service)) jobs.push(job);
      return { jobs: jobs.sort(newestFirst) };
    },

    watchJob: async function* ({ jobId }, { signal }) {
      for (let known: string | undefined; ; ) {
        const { job, etag } = await getJob(ctx.objects, SERVICE_NAMES, jobId);
        if (etag !== known) yield { job };
        if (isTerminal(job)) return;
        known = etag;
        while (known === (await jobEtag(ctx.objects, job.service, job.id))) await sleep(POLL_MS, undefined, { signal });
      }
    },

    cancelJob: async ({ jobId }) => {
      const stored = await getJob(ctx.objects, SERVICE_NAMES, jobId);
      const { job } = await updateJob(ctx.objects, stored, () => ({ state: JobState.JOB_STATE_CANCELLING }));
      await tell(job, checkEvent(job.id));
      return { job };
    },

    listDeadLetters: async ({ jobId }) => {
      const deadLetters: DeadLetter[] = [];
      for await (const letter of lettersOf(ctx.objects, jobId)) {
        if (deadLetters.length === MAX_LETTERS) return { deadLetters: deadLetters.sort(byJobAndUnit), hasMore: true };
        deadLetters.push(letter);
      }
      return { deadLetters: deadLetters.sort(byJobAndUnit), hasMore: false };
    },

    replayJob: async ({ jobId }) => {
      const stored = await getJob(ctx.objects, SERVICE_NAMES, jobId);
      const { job } = await reviveJob(ctx.objects, stored);
      // Queued as before: whoever replayed it may have died before anybody was told.
      if (job.state !== JobState.JOB_STATE_QUEUED) throw notFailed(job);
      await tell(job, replayEvent(job.id));
      return { job, replayedUnits: stored.job.deadUnits };
    },
  };
}
