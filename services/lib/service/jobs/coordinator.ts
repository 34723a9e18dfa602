/** @file A service's coordinator: submits jobs, follows their units, finishes them. Any replica can go on where another ended. */
import { DomainError, invalid } from "../../errors.ts";
import type { ObjectStore } from "../../objects/object-store.ts";
import { DeadLetter, Job, JobState } from "../../proto/radhical/v1/jobs.ts";
import { type PlannedUnit, UnitEvent } from "../../proto/radhical/v1/work.ts";
import { type Delivery, deadLetterTopic, type Queue } from "../../queue/queue.ts";
import { checkSizes } from "../../queue/rules.ts";
import { inSpan } from "../../telemetry/spans.ts";
import { activeTraceparent, inTrace } from "../../telemetry/trace-context.ts";
import { isId, sha256 } from "../content-id.ts";
import { encode } from "../documents.ts";
import type { Part } from "../lifecycle.ts";
import type { Logger } from "../log.ts";
import { SERVICE_NAMES } from "../service-names.ts";
import { eventsTopic } from "../topics.ts";
import { SOFTWARE_VERSION } from "../version.ts";
import { endingOf, putOrphan } from "./dead-letters.ts";
import { FollowedJobs } from "./follow.ts";
import type { FinishableJob, JobDefinition } from "./job-definition.ts";
import { createJob, findJob, isTerminal, jobId, listJobs } from "./job-store.ts";
import { readMessage, unreadable } from "./read-message.ts";
import { checkEvent, deadEvent, UNIT_HEADERS } from "./units.ts";

const RECHECK_MS = 10_000;
/** Some five minutes: an event that is given up is only made good by a comparison with the store. */
const RETRIES = 36;

export interface CoordinatorContext {
  readonly objects: ObjectStore;
  readonly queue: Queue;
  readonly log: Logger;
  /** Whether unfinished jobs go on at start. A command's own process does only what it is asked: jobs go on when they are submitted. */
  readonly resumesJobs?: boolean;
}

export interface CoordinatorOptions {
  readonly service: string;
  readonly definitions: readonly FinishableJob[];
  /** Topics that units of these jobs are published to or passed on to. */
  readonly topics: readonly string[];
  /** How long a job may be without events before it is compared with the store; default 10 s. */
  readonly recheckMs?: number;
}

export interface Coordinator extends Part {
  /** Returns the job of this request id, new or known. Throws ALREADY_EXISTS (REQUEST_ID_REUSED) if it had other content. */
  submit<Request extends { readonly requestId: string }>(
    definition: JobDefinition<Request>,
    request: Request,
    submittedBy: string,
  ): Promise<Job>;
}

/** Starts a coordinator: takes events and dead letters, and publishes the units of unfinished jobs again. */
export async function startCoordinator(ctx: CoordinatorContext, options: CoordinatorOptions): Promise<Coordinator> {
  const { service, definitions, topics, recheckMs = RECHECK_MS } = options;
  const followed = new FollowedJobs({ ...ctx, service, definitions, recheckMs });
  const events = eventsTopic(service);
  const letters = [events, ...topics].map(deadLetterTopic);
  await ctx.queue.requireTopics([events, ...topics]);

  const onDeadLetter = async (delivery: Delivery): Promise<void> => {
    const owner = ownerOf(delivery);
    // Level topics carry units of several services' jobs.
    if (owner && owner.service !== service) return;
    const known = owner && (await findJob(ctx.objects, service, owner.jobId));
    if (!owner || !known) return putOrphan(ctx.objects, delivery);
    const letter = DeadLetter.fromPartial({ ...owner, ...endingOf(delivery.headers) });
    // As an event it goes to the coordinator that has all other events of the job; dead letters are keyed by unit.
    await ctx.queue.publish(events, [deadEvent(letter, owner.life)]);
  };
  const consumer = await ctx.queue.consume({
    topics: [events, ...letters],
    group: `${service}-coordinator`,
    concurrency: 4,
    retries: RETRIES,
    handle: (delivery) =>
      delivery.topic === events ? followed.onEvent(readEvent(delivery), delivery.progress) : onDeadLetter(delivery),
  });

  const start = ({ id, traceparent }: Job): Promise<void> =>
    inTrace(traceparent, async () => {
      await followed.publishOpen(id);
      await ctx.queue.publish(events, [checkEvent(id)]);
    });
  try {
    if (ctx.resumesJobs ?? true) {
      for await (const { job } of listJobs(ctx.objects, service)) if (!isTerminal(job)) await start(job);
    }
  } catch (error) {
    await consumer.stop();
    throw error;
  }
  const rechecks = startRechecks(followed, recheckMs);

  return {
    name: `coordinator of ${service}`,
    failed: consumer.failed,
    stop: async () => {
      await rechecks.stop();
      await consumer.stop();
    },
    submit: async (definition, request, submittedBy) => {
      if (request.requestId === "") throw invalid("REQUEST_ID_MISSING", "Cannot submit a job without a request_id");
      const bytes = Buffer.from(encode(definition.codec, request));
      const known = await knownJob(ctx.objects, service, request.requestId, bytes);
      if (known) {
        // Its units may not have been published: whoever submitted it may have died, or the queue was away.
        const isWaiting = known.state === JobState.JOB_STATE_QUEUED || !followed.isFollowing(known.id);
        if (isWaiting && !isTerminal(known)) await start(known);
        return known;
      }
      const { resultId, units } = await inSpan(`${service}.plan`, {}, () => definition.plan(request));
      const job = newJob(service, definition, request.requestId, bytes, resultId, submittedBy);
      const created = await createJob(ctx.objects, job, { units: publishable(units), request: bytes });
      if (created) await start(job);
      return created?.job ?? (await knownJob(ctx.objects, service, request.requestId, bytes)) ?? job;
    },
  };
}

function readEvent(delivery: Delivery): UnitEvent {
  const event = readMessage(UnitEvent, delivery);
  if (isId(event.jobId)) return event;
  throw unreadable(delivery, "it names no job");
}

/** Returns the unit that a message carries; undefined for a message that does not say so as ours do. */
function ownerOf({ headers }: Delivery) {
  const service = SERVICE_NAMES.find((name) => name === headers[UNIT_HEADERS.service]);
  const jobId = headers[UNIT_HEADERS.job] ?? "";
  const [unit, life] = [headers[UNIT_HEADERS.unit], headers[UNIT_HEADERS.life]].map(Number);
  if (service === undefined || !isId(jobId) || !isCount(unit) || !isCount(life)) return undefined;
  return { service, jobId, unit, life };
}

const isCount = (value: number | undefined): value is number =>
  value !== undefined && Number.isInteger(value) && value >= 0 && value < 2 ** 31;

/** Yields units that can be published; throws at one that cannot: its job must not come to be. */
function* publishable(units: Iterable<PlannedUnit>): Generator<PlannedUnit> {
  for (const unit of units) {
    checkSizes(unit.topic, [{ key: unit.key, value: unit.message }]);
    yield unit;
  }
}

function startRechecks(followed: FollowedJobs, everyMs: number): { readonly stop: () => Promise<void> } {
  let running: Promise<void> | undefined;
  const timer = setInterval(() => {
    running ??= followed.recheckIdle().finally(() => {
      running = undefined;
    });
  }, everyMs).unref();
  return {
    stop: async () => {
      clearInterval(timer);
      await running;
    },
  };
}

async function knownJob(
  objects: ObjectStore,
  service: string,
  requestId: string,
  bytes: Uint8Array,
): Promise<Job | undefined> {
  const known = await findJob(objects, service, jobId(service, requestId));
  if (!known || known.job.requestSha256 === sha256(bytes)) return known?.job;
  const message = `Cannot submit request "${requestId}": job "${known.job.id}" has this request id and other content`;
  throw new DomainError("alreadyExists", "REQUEST_ID_REUSED", message);
}

function newJob(
  service: string,
  definition: Pick<JobDefinition<unknown>, "kind" | "unit">,
  requestId: string,
  bytes: Uint8Array,
  resultId: string,
  submittedBy: string,
): Job {
  const now = new Date();
  return Job.fromPartial({
    id: jobId(service, requestId),
    service,
    kind: definition.kind,
    requestId,
    requestSha256: sha256(bytes),
    state: JobState.JOB_STATE_QUEUED,
    unit: definition.unit,
    submittedBy,
    submittedAt: now,
    updatedAt: now,
    softwareVersion: SOFTWARE_VERSION,
    resultId,
    traceparent: activeTraceparent(),
  });
}
