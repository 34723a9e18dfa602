/** @file Following jobs: what a coordinator does with the events and dead letters of its service's jobs. */
import { DomainError } from "../../errors.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { type Job, JobState } from "../../proto/radhical/v1/jobs.ts";
import { type JobPlan, type PlannedUnit, type UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Message, Queue } from "../../queue/queue.ts";
import type { Logger } from "../log.ts";
import type { FinishableJob } from "./job-definition.ts";
import { findJob, isTerminal, readPlan, type StoredJob, updateJob } from "./job-store.ts";
import { UnitProgress } from "./unit-progress.ts";
import { findDoneUnits, unitMessage } from "./units.ts";

const SAVE_EVERY_MS = 500;

export interface FollowContext {
  readonly service: string;
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly log: Logger;
  readonly definitions: readonly FinishableJob[];
}

/** A job as its coordinator holds it in memory; the store has the truth. */
interface FollowedJob {
  stored: StoredJob;
  readonly plan: JobPlan;
  progress: UnitProgress;
  detail: string;
  savedAtMs: number;
}

/** Publishes some units of a job, topic by topic. */
async function publishUnits(
  ctx: FollowContext,
  job: Job,
  units: readonly PlannedUnit[],
  indices: readonly number[],
): Promise<void> {
  const byTopic = new Map<string, Message[]>();
  for (const index of indices) {
    const unit = units[index]!;
    const messages = byTopic.get(unit.topic) ?? [];
    messages.push(unitMessage(ctx.service, job.id, unit, index));
    byTopic.set(unit.topic, messages);
  }
  for (const [topic, messages] of byTopic) await ctx.queue.publish(topic, messages);
}

/** The jobs of a service that are not over. */
export class FollowedJobs {
  readonly #ctx: FollowContext;
  readonly #jobs = new Map<string, FollowedJob>();
  readonly #turns = new Map<string, Promise<void>>();

  constructor(ctx: FollowContext) {
    this.#ctx = ctx;
  }

  /** Publishes the units that a job still needs and that wait for nothing. */
  async publishOpen(id: string): Promise<void> {
    await this.#inTurn(id, async (job) => {
      if (job.stored.job.state === JobState.JOB_STATE_CANCELLING) return;
      await publishUnits(this.#ctx, job.stored.job, job.plan.units, job.progress.openAtOnce());
    });
  }

  /** Takes an event of a unit. */
  async onEvent(event: UnitEvent): Promise<void> {
    await this.#inTurn(event.jobId, async (job) => {
      if (event.kind === UnitEventKind.UNIT_EVENT_KIND_DONE) job.progress.markDone(event.unit);
      if (event.kind === UnitEventKind.UNIT_EVENT_KIND_PROGRESS) {
        job.progress.markPartial(event.unit, event.amount);
        if (event.detail) job.detail = event.detail;
      }
      if (event.kind === UnitEventKind.UNIT_EVENT_KIND_CHECK) await this.#reread(job);
      await this.#advance(job);
    });
  }

  /** Takes a unit that ended as a dead letter. */
  async onDeadUnit(id: string, unit: number, error: string): Promise<void> {
    await this.#inTurn(id, async (job) => {
      job.progress.markDead(unit, error);
      await this.#advance(job);
    });
  }

  /** Runs `work` on a job that is not over, one at a time for each job: its events and its dead letters come on different topics. */
  #inTurn(id: string, work: (job: FollowedJob) => Promise<void>): Promise<void> {
    const before = this.#turns.get(id) ?? Promise.resolve();
    const turn = before
      .catch(() => undefined)
      .then(async () => {
        const job = await this.#find(id);
        if (job) await work(job);
      });
    this.#turns.set(id, turn);
    return turn.finally(() => {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    });
  }

  async #find(id: string): Promise<FollowedJob | undefined> {
    const known = this.#jobs.get(id);
    if (known) return known;
    const { objects, service } = this.#ctx;
    const stored = await findJob(objects, service, id);
    if (!stored || isTerminal(stored.job)) return undefined;
    const plan = await readPlan(objects, service, id);
    const progress = new UnitProgress(plan, await findDoneUnits(objects, plan.units));
    const job: FollowedJob = { stored, plan, progress, detail: "", savedAtMs: 0 };
    this.#jobs.set(id, job);
    return job;
  }

  async #reread(job: FollowedJob): Promise<void> {
    job.stored = (await findJob(this.#ctx.objects, this.#ctx.service, job.stored.job.id)) ?? job.stored;
  }

  async #advance(job: FollowedJob): Promise<void> {
    if (isTerminal(job.stored.job)) return this.#forget(job);
    if (job.stored.job.state === JobState.JOB_STATE_CANCELLING)
      return this.#save(job, { state: JobState.JOB_STATE_CANCELLED });
    const released = job.progress.takeReleased();
    if (released.length > 0) await publishUnits(this.#ctx, job.stored.job, job.plan.units, released);
    if (job.progress.isComplete) return this.#finish(job);
    if (job.progress.isStuck) {
      const [reason] = job.progress.dead.values();
      const count = `${job.progress.dead.size} of ${job.plan.units.length}`;
      return this.#save(job, { state: JobState.JOB_STATE_FAILED, reason: `${count} units failed: ${reason}` });
    }
    if (Date.now() - job.savedAtMs >= SAVE_EVERY_MS) await this.#save(job, { state: JobState.JOB_STATE_RUNNING });
  }

  async #finish(job: FollowedJob): Promise<void> {
    const truth = await findDoneUnits(this.#ctx.objects, job.plan.units);
    if (truth.includes(0)) {
      job.progress = new UnitProgress(job.plan, truth);
      return publishUnits(this.#ctx, job.stored.job, job.plan.units, job.progress.openAtOnce());
    }
    try {
      const { kind, resultId } = job.stored.job;
      const definition = this.#ctx.definitions.find((candidate) => candidate.kind === kind);
      if (!definition)
        throw new DomainError("failedPrecondition", "KIND_UNKNOWN", `Cannot finish a job of kind "${kind}"`);
      const note = await definition.finish(job.plan.request, resultId, job.plan.units);
      await this.#save(job, { state: JobState.JOB_STATE_SUCCEEDED, detail: "", note: note ?? "" });
    } catch (error) {
      // What may pass is thrown on, and the event comes again.
      if (error instanceof DomainError && error.kind === "unavailable") throw error;
      if (!(error instanceof DomainError)) this.#ctx.log.error({ err: error, job: job.stored.job.id }, "bug in finish");
      const reason = error instanceof DomainError ? error.message : "internal error";
      await this.#save(job, { state: JobState.JOB_STATE_FAILED, reason });
    }
  }

  async #save(job: FollowedJob, fields: Partial<Job>): Promise<void> {
    const counts = { done: job.progress.amountDone, detail: job.detail, deadUnits: BigInt(job.progress.dead.size) };
    job.stored = await updateJob(this.#ctx.objects, job.stored, (current) =>
      // Progress never overwrites a cancel that came meanwhile; the event that came with it acts on it.
      current.state === JobState.JOB_STATE_CANCELLING && fields.state === JobState.JOB_STATE_RUNNING
        ? counts
        : { ...counts, ...fields },
    );
    job.savedAtMs = Date.now();
    if (isTerminal(job.stored.job)) this.#forget(job);
  }

  #forget({ stored: { job } }: FollowedJob): void {
    this.#jobs.delete(job.id);
    this.#ctx.log.info({ job: job.id, kind: job.kind, state: job.state, reason: job.reason }, "job ended");
  }
}
