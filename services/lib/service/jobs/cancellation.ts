/** @file Cancelling work in hand: a job's state says so in the store, and whoever works for it looks there. */
import type { ObjectStore } from "../../objects/object-store.ts";
import { JobState } from "../../proto/radhical/v1/jobs.ts";
import { findJob, jobEtag } from "./job-store.ts";

const POLL_MS = 300;

/** Why a unit's signal aborts when its job is cancelled: nobody will go on with it, while work that is given back another takes up. */
export class JobCancelled extends Error {
  override readonly name = "JobCancelled";
}

const isUnwanted = (state: JobState): boolean =>
  state === JobState.JOB_STATE_CANCELLING || state === JobState.JOB_STATE_CANCELLED;

/**
 * Runs `work` with a signal that aborts when `signal` does or when the job is cancelled. Returns what `work` returns, or undefined
 * if the job was cancelled before or meanwhile: the unit is dropped then. An abort by `signal` is thrown on.
 */
export async function cancellable<T>(
  objects: ObjectStore,
  job: { readonly service: string; readonly id: string },
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stored = await findJob(objects, job.service, job.id);
  if (stored && isUnwanted(stored.job.state)) return undefined;
  const cancelled = new AbortController();
  let etag = stored?.etag;
  let looking = false;
  const look = async (): Promise<void> => {
    const now = await jobEtag(objects, job.service, job.id);
    if (now === etag) return;
    etag = now;
    const found = await findJob(objects, job.service, job.id);
    if (found && isUnwanted(found.job.state)) cancelled.abort(new JobCancelled("the job was cancelled"));
  };
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    // A store that does not answer now is asked again: not hearing of a cancel must not end the work.
    look()
      .catch(() => undefined)
      .finally(() => {
        looking = false;
      });
  }, POLL_MS);
  try {
    return await work(AbortSignal.any([signal, cancelled.signal]));
  } catch (error) {
    if (cancelled.signal.aborted && !signal.aborted) return undefined;
    throw error;
  } finally {
    clearInterval(timer);
  }
}
