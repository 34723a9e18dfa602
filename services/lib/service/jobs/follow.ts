/** @file Following jobs: what a coordinator does with the events and dead letters of its service's jobs. */
import { DomainError } from "../../errors.ts";
import { createKeyMutex } from "../../objects/key-mutex.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { type Job, JobState } from "../../proto/radhical/v1/jobs.ts";
import { type UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Queue } from "../../queue/queue.ts";
import { inSpan } from "../../telemetry/spans.ts";
import { inTrace } from "../../telemetry/trace-context.ts";
import type { Logger } from "../log.ts";
import { findDeadUnits, putDeadUnit } from "./dead-letters.ts";
import type { FinishableJob } from "./job-definition.ts";
import { findJob, isTerminal, readPlan, type StoredJob, updateJob } from "./job-store.ts";
import type { StoredPlan } from "./plan-store.ts";
import { UnitProgress } from "./unit-progress.ts";
import { UnitTable } from "./unit-table.ts";
import { findDoneUnits, publishUnits } from "./units.ts";

const SAVE_EVERY_MS = 500;
const LONGEST_RECHECK_MS = 300_000;

export interface FollowContext {
  readonly service: string;
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly log: Logger;
  readonly definitions: readonly FinishableJob[];
  /** A job without events for so long is compared with the store; then again after twice the time, and so on. */
  readonly recheckMs: number;
}

/** A job as its coordinator holds it in memory; the store has the truth. */
interface FollowedJob {
  stored: StoredJob;
  readonly plan: StoredPlan;
  readonly units: UnitTable;
  progress: UnitProgress;
  detail: string;
  savedAtMs: number;
  recheckAtMs: number;
  recheckWaitMs: number;
  /** Work on it ended halfway: what is in memory may be ahead of what was published. */
  isStale: boolean;
  /** Says that the work in hand on it advances. */
  beat: () => Promise<void>;
}

const noBeat = async (): Promise<void> => undefined;

const isSaved = ({ stored: { job }, progress, detail }: FollowedJob): boolean =>
  job.state === JobState.JOB_STATE_RUNNING &&
  job.done === progress.amountDone &&
  job.deadUnits === BigInt(progress.dead.size) &&
  job.detail === detail;

/** The jobs of a service that are not over. */
export class FollowedJobs {
  readonly #ctx: FollowContext;
  readonly #jobs = new Map<string, FollowedJob>();
  readonly #mutex = createKeyMutex();

  constructor(ctx: FollowContext) {
    this.#ctx = ctx;
  }

  /** Says whether this process has a job in hand. */
  isFollowing(id: string): boolean {
    return this.#jobs.has(id);
  }

  /** Publishes the units that a job still needs and that wait for nothing. Events of the job have their turn after every part of its plan. */
  async publishOpen(id: string): Promise<void> {
    let parts = 1;
    for (let part = 0; part < parts; part++) {
      await this.#inTurn(id, async (job) => {
        parts = job.plan.parts.length;
        if (job.stored.job.state === JobState.JOB_STATE_CANCELLING) return;
        // What is released later is published by the event that does it.
        if (part === 0) job.progress.takeReleased();
        const { start, end } = job.plan.parts[part] ?? { start: 0, end: 0 };
        await this.#publish(job, job.progress.openUnits(start, end));
      });
    }
  }

  /** Takes an event of a unit; calls `beat` while that takes its time. */
  async onEvent(event: UnitEvent, beat = noBeat): Promise<void> {
    const take = async (job: FollowedJob): Promise<void> => {
      job.recheckWaitMs = this.#ctx.recheckMs;
      job.recheckAtMs = Date.now() + job.recheckWaitMs;
      await this.#take(job, event);
      await this.#advance(job);
    };
    await this.#inTurn(event.jobId, take, beat);
  }

  /**
   * Compares with the store the jobs that no event has come for in a while. Another coordinator of this service may have had their
   * events (a partition moves with every member that comes or goes), and an event that could not be handled is lost.
   */
  async recheckIdle(): Promise<void> {
    for (const [id, { recheckAtMs }] of this.#jobs) {
      if (recheckAtMs > Date.now()) continue;
      await this.#inTurn(id, (job) => this.#recheck(job)).catch((error: unknown) =>
        this.#ctx.log.warn({ err: error, job: id }, "cannot compare job with store"),
      );
    }
  }

  async #recheck(job: FollowedJob): Promise<void> {
    job.recheckWaitMs = Math.min(2 * job.recheckWaitMs, LONGEST_RECHECK_MS);
    job.recheckAtMs = Date.now() + job.recheckWaitMs;
    await this.#reread(job);
    if (isTerminal(job.stored.job)) return this.#forget(job);
    await this.#learn(job);
    await this.#advance(job);
  }

  async #take(job: FollowedJob, event: UnitEvent): Promise<void> {
    switch (event.kind) {
      case UnitEventKind.UNIT_EVENT_KIND_DONE:
        return job.progress.markDone(event.unit);
      case UnitEventKind.UNIT_EVENT_KIND_PROGRESS:
        job.progress.markPartial(event.unit, event.amount);
        if (event.detail) job.detail = event.detail;
        return;
      case UnitEventKind.UNIT_EVENT_KIND_DEAD:
        return this.#takeDead(job, event);
      case UnitEventKind.UNIT_EVENT_KIND_REPLAY:
        await this.#reread(job);
        return this.#publishAgain(job);
      default:
        return this.#reread(job);
    }
  }

  async #takeDead(job: FollowedJob, { unit, life, topic, detail: error, attempts }: UnitEvent): Promise<void> {
    if (life !== job.stored.job.life) await this.#reread(job);
    // Late word from before a replay: the unit is tried again already.
    if (life !== job.stored.job.life) return;
    // None, if the plan has no such unit.
    for await (const numbered of job.plan.pick(job.units.has(unit) ? [unit] : [])) {
      for (const [, { key }] of numbered) {
        const letter = { jobId: job.stored.job.id, unit, topic, key, error, attempts, at: new Date() };
        await putDeadUnit(this.#ctx.objects, job.stored.job, letter);
        job.progress.markDead(unit, error);
      }
    }
  }

  /** Runs `work` on a job that is not over, one at a time for each job: its events and its dead letters come on different topics. */
  #inTurn(id: string, work: (job: FollowedJob) => Promise<void>, beat = noBeat): Promise<void> {
    return this.#mutex(id, async () => {
      const job = await this.#find(id, beat);
      if (!job) return;
      job.beat = beat;
      await this.#holding(job, work);
    });
  }

  async #find(id: string, beat: () => Promise<void>): Promise<FollowedJob | undefined> {
    const known = this.#jobs.get(id);
    if (known && !known.isStale) return known;
    const { objects, service } = this.#ctx;
    const stored = await findJob(objects, service, id);
    if (!stored || isTerminal(stored.job)) {
      this.#jobs.delete(id);
      return undefined;
    }
    const job = await this.#open(stored, beat).catch((error: unknown) => this.#fail(stored, error));
    if (!job) return undefined;
    this.#jobs.set(id, job);
    if (known && stored.job.state !== JobState.JOB_STATE_CANCELLING)
      await this.#holding(job, () => this.#publishAgain(job));
    return job;
  }

  async #holding(job: FollowedJob, work: (job: FollowedJob) => Promise<void>): Promise<void> {
    try {
      await inTrace(job.stored.job.traceparent, () => work(job));
    } catch (error) {
      job.isStale = true;
      throw error;
    }
  }

  async #open(stored: StoredJob, beat: () => Promise<void>): Promise<FollowedJob> {
    const { objects, recheckMs } = this.#ctx;
    const plan = await readPlan(objects, stored.job);
    const units = await UnitTable.of(plan, beat);
    const progress = await this.#progressOf(stored, units, beat);
    const recheckAtMs = Date.now() + recheckMs;
    const waits = { savedAtMs: 0, recheckAtMs, recheckWaitMs: recheckMs };
    return { stored, plan, units, progress, detail: "", isStale: false, beat, ...waits };
  }

  async #progressOf({ job }: StoredJob, units: UnitTable, beat: () => Promise<void>): Promise<UnitProgress> {
    const { objects } = this.#ctx;
    const progress = new UnitProgress(units, await findDoneUnits(objects, units, beat));
    for (const [unit, { error }] of await findDeadUnits(objects, job)) progress.markDead(unit, error);
    return progress;
  }

  /** Ends a job that cannot go on, so that it neither waits for ever nor keeps its service from starting. */
  async #fail(stored: StoredJob, error: unknown, done = stored.job.done): Promise<undefined> {
    // What may pass is thrown on: the event comes again, or the job is compared with the store later.
    if (error instanceof DomainError && error.kind === "unavailable") throw error;
    if (!(error instanceof DomainError)) this.#ctx.log.error({ err: error, job: stored.job.id }, "bug in job");
    const reason = error instanceof DomainError ? error.message : "internal error";
    const failed = { state: JobState.JOB_STATE_FAILED, reason, done };
    await updateJob(this.#ctx.objects, stored, ({ life }) => (life === stored.job.life ? failed : undefined));
  }

  async #publishAgain(job: FollowedJob): Promise<void> {
    job.progress.takeReleased();
    await this.#publish(job, job.progress.openUnits());
  }

  #publish({ stored, plan, beat }: FollowedJob, indices: readonly number[]): Promise<void> {
    return publishUnits(this.#ctx.queue, stored.job, plan, indices, beat);
  }

  /** Marks what the store knows and this process may not. */
  async #learn({ units, progress, stored, beat }: FollowedJob): Promise<void> {
    progress.markAllDone(await findDoneUnits(this.#ctx.objects, units, beat));
    for (const [unit, { error }] of await findDeadUnits(this.#ctx.objects, stored.job)) progress.markDead(unit, error);
  }

  async #reread(job: FollowedJob): Promise<void> {
    const stored = (await findJob(this.#ctx.objects, this.#ctx.service, job.stored.job.id)) ?? job.stored;
    // What was dead before a replay is not any more.
    if (stored.job.life !== job.stored.job.life) job.progress = await this.#progressOf(stored, job.units, job.beat);
    job.stored = stored;
  }

  async #advance(job: FollowedJob): Promise<void> {
    if (isTerminal(job.stored.job)) return this.#forget(job);
    if (job.stored.job.state === JobState.JOB_STATE_CANCELLING)
      return this.#save(job, { state: JobState.JOB_STATE_CANCELLED });
    const released = job.progress.takeReleased();
    if (released.length > 0) await this.#publish(job, released);
    if (job.progress.isStuck) await this.#learn(job);
    if (job.progress.isComplete) return this.#finish(job);
    if (job.progress.isStuck)
      return this.#save(job, { state: JobState.JOB_STATE_FAILED, reason: job.progress.failure(job.stored.job) });
    if (!isSaved(job) && Date.now() - job.savedAtMs >= SAVE_EVERY_MS)
      await this.#save(job, { state: JobState.JOB_STATE_RUNNING });
  }

  async #finish(job: FollowedJob): Promise<void> {
    const truth = await findDoneUnits(this.#ctx.objects, job.units, job.beat);
    if (truth.includes(0)) {
      job.progress = new UnitProgress(job.units, truth);
      return this.#publishAgain(job);
    }
    try {
      const { id, kind, resultId } = job.stored.job;
      const definition = this.#ctx.definitions.find((candidate) => candidate.kind === kind);
      if (!definition)
        throw new DomainError("failedPrecondition", "KIND_UNKNOWN", `Cannot finish a job of kind "${kind}"`);
      const note = await inSpan(`${this.#ctx.service}.finish`, { attributes: { "radhical.job.id": id } }, () =>
        definition.finish(job.plan.request, resultId, job.plan, job.beat),
      );
      job.detail = "";
      const nothing = job.units.count === 0 ? "There was nothing to do" : "";
      await this.#save(job, { state: JobState.JOB_STATE_SUCCEEDED, note: note ?? nothing });
    } catch (error) {
      await this.#fail(job.stored, error, job.progress.amountDone);
      await this.#reread(job);
      this.#forget(job);
    }
  }

  async #save(job: FollowedJob, fields: Partial<Job>): Promise<void> {
    const counts = { done: job.progress.amountDone, detail: job.detail, deadUnits: BigInt(job.progress.dead.size) };
    const { life } = job.stored.job;
    job.stored = await updateJob(this.#ctx.objects, job.stored, (current) => {
      // Found for a life that is over: it says nothing of this one.
      if (current.life !== life) return undefined;
      // Progress never overwrites a cancel that came meanwhile; the event that came with it acts on it.
      const isCancelled =
        current.state === JobState.JOB_STATE_CANCELLING && fields.state === JobState.JOB_STATE_RUNNING;
      return isCancelled ? counts : { ...counts, ...fields };
    });
    if (job.stored.job.life !== life) job.progress = await this.#progressOf(job.stored, job.units, job.beat);
    job.savedAtMs = Date.now();
    if (isTerminal(job.stored.job)) this.#forget(job);
  }

  #forget({ stored: { job } }: FollowedJob): void {
    this.#jobs.delete(job.id);
    this.#ctx.log.info({ job: job.id, kind: job.kind, state: job.state, reason: job.reason }, "job ended");
  }
}
