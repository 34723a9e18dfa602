/** @file JobsService: get, list, watch and cancel, answered by any service from the object store. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ObjectStore } from "../../objects/object-store.ts";
import { type Job, JobState, type JobsServiceImplementation } from "../../proto/radhical/v1/jobs.ts";
import type { Queue } from "../../queue/queue.ts";
import { SERVICE_NAMES } from "../service-names.ts";
import { eventsTopic } from "../topics.ts";
import { getJob, isTerminal, jobEtag, listJobs, updateJob } from "./job-store.ts";
import { checkEvent } from "./units.ts";

const POLL_MS = 150;

const newestFirst = (a: Job, b: Job): number => (b.submittedAt?.getTime() ?? 0) - (a.submittedAt?.getTime() ?? 0);

/** Returns the implementation of JobsService. */
export function jobsRpc(ctx: { readonly objects: ObjectStore; readonly queue: Queue }): JobsServiceImplementation {
  return {
    getJob: async ({ jobId }) => ({ job: (await getJob(ctx.objects, SERVICE_NAMES, jobId)).job }),

    listJobs: async ({ service }) => {
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
      await ctx.queue.requireTopics([eventsTopic(job.service)]);
      await ctx.queue.publish(eventsTopic(job.service), [checkEvent(job.id)]);
      return { job };
    },
  };
}
