/** @file Dead letters and the next life of a failed job. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { DomainError } from "../../errors.ts";
import { JobState, JobsServiceDefinition } from "../../proto/radhical/v1/jobs.ts";
import { OrphanLetter, UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import { provisionTopics } from "../../queue/kafka-provision.ts";
import { openKafkaQueue } from "../../queue/kafka-queue.ts";
import { connect } from "../client.ts";
import { createLogger } from "../log.ts";
import { startServer } from "../server.ts";
import { eventsTopic } from "../topics.ts";
import { putOrphan } from "./dead-letters.ts";
import { FollowedJobs } from "./follow.ts";
import { findJob, reviveJob } from "./job-store.ts";
import {
  afterTest,
  endOf,
  SERVICE,
  startWorld,
  temporaryFolder,
  UNIT_TOPIC,
  until,
  untilAborted,
  type World,
} from "./jobs.fixture.ts";
import { jobsRpc } from "./jobs-rpc.ts";
import { deadEvent, eventMessage } from "./units.ts";

const { JOB_STATE_SUCCEEDED: SUCCEEDED, JOB_STATE_FAILED: FAILED } = JobState;

const gone = (n: number) => Promise.reject(new DomainError("notFound", "GONE", `Cannot find image ${n}`));

/** Starts a system whose units fail while they are broken. */
async function startBroken(t: Parameters<typeof startWorld>[0], broken: Set<number>, more: object = {}) {
  const handle = (n: number): Promise<void> => (broken.has(n) ? gone(n) : Promise.resolve());
  return startWorld(t, await temporaryFolder(t), { handle, recheckMs: 20, ...more });
}

const lettersOf = async ({ jobs }: World, jobId: string) => (await jobs.listDeadLetters({ jobId })).deadLetters;

test("a replay runs the dead units of a failed job again, and only those, and then finishes it once", async (t) => {
  const broken = new Set([1, 3]);
  const world = await startBroken(t, broken);
  const failed = await endOf(world, await world.submit(5));
  assert.deepEqual([failed.state, failed.reason], [FAILED, "2 of 5 things failed: Cannot find image 1"]);
  assert.equal(world.finished.count, 0);
  broken.clear();
  const { job, replayedUnits } = await world.jobs.replayJob({ jobId: failed.id });
  assert.deepEqual([job?.state, job?.life, job?.reason, replayedUnits], [JobState.JOB_STATE_QUEUED, 1, "", 2n]);
  const ended = await endOf(world, failed);
  assert.deepEqual([ended.state, ended.done, ended.deadUnits, ended.life], [SUCCEEDED, 5n, 0n, 1]);
  assert.deepEqual(world.started.toSorted(), [0, 1, 1, 2, 3, 3, 4]);
  assert.equal(world.finished.count, 1);
  assert.deepEqual(await lettersOf(world, failed.id), []);
});

test("dead letters are told with job, unit, topic, key, reason and attempts, by unit", async (t) => {
  const world = await startBroken(t, new Set([2, 0]));
  const { id } = await endOf(world, await world.submit(3));
  const letters = await lettersOf(world, id);
  assert.deepEqual(
    letters.map(({ jobId, unit, topic, key, error, attempts }) => [jobId, unit, topic, key, error, attempts]),
    [0, 2].map((n) => [id, n, UNIT_TOPIC, `place-${n}`, `Cannot find image ${n}`, 1]),
  );
  assert.deepEqual(await lettersOf(world, ""), letters);
});

test("several coordinators replay a job, life after life", async (t) => {
  const broken = new Set(Array.from({ length: 10 }, (_, i) => 7 * i));
  const world = await startBroken(t, broken, { coordinators: 3, workers: 4 });
  const { id } = await endOf(world, await world.submit(100));
  for (const left of [4, 1]) {
    for (const n of [...broken].slice(left)) broken.delete(n);
    await world.jobs.replayJob({ jobId: id });
    const again = await endOf(world, { ...(await world.submit(100)) });
    const word = `${left} of 100 things failed: Cannot find image 0`;
    assert.deepEqual([again.state, again.reason, again.deadUnits], [FAILED, word, BigInt(left)]);
  }
  broken.clear();
  await world.jobs.replayJob({ jobId: id });
  const ended = await endOf(world, await world.submit(100));
  assert.deepEqual([ended.state, ended.done, ended.life, world.finished.count], [SUCCEEDED, 100n, 3, 1]);
});

test("word of a dead unit that comes late, from before the replay, does not fail the job again", async (t) => {
  let isBroken = true;
  let isOpen = false;
  const handle = async (n: number): Promise<void> => {
    if (isBroken && n === 1) return gone(n);
    if (!isBroken) await until(() => isOpen, "the test");
  };
  const world = await startWorld(t, await temporaryFolder(t), { handle, recheckMs: 20 });
  const failed = await endOf(world, await world.submit(2));
  const [letter] = await lettersOf(world, failed.id);
  isBroken = false;
  await world.jobs.replayJob({ jobId: failed.id });
  await until(() => world.started.length === 3, "the unit in its second life");
  await world.queue.publish(eventsTopic(SERVICE), [deadEvent(letter!, 0)]);
  const { UNIT_EVENT_KIND_PROGRESS: kind } = UnitEventKind;
  await world.queue.publish(eventsTopic(SERVICE), [
    eventMessage({ jobId: failed.id, kind, unit: 1, detail: "after it" }),
  ]);
  const detailIs = async () => (await world.jobs.getJob({ jobId: failed.id })).job?.detail === "after it";
  await until(detailIs, "an event behind the late one");
  assert.deepEqual(await lettersOf(world, failed.id), []);
  isOpen = true;
  assert.equal((await endOf(world, failed)).state, SUCCEEDED);
});

test("a coordinator that remembers a job's earlier life begins anew with the next", async (t) => {
  let isBroken = true;
  let isOpen = false;
  const handle = async (n: number): Promise<void> => {
    if (n === 0) await until(() => isOpen, "the test");
    else if (isBroken) return gone(n);
  };
  const world = await startWorld(t, await temporaryFolder(t), { handle });
  const submitted = await world.submit(2);
  await until(async () => (await lettersOf(world, submitted.id)).length === 1, "the dead unit");
  const { objects, queue } = world;
  const log = createLogger("test", "silent");
  const other = new FollowedJobs({ service: SERVICE, objects, queue, log, definitions: [], recheckMs: 10_000 });
  const tell = (kind: UnitEventKind) => other.onEvent(UnitEvent.fromPartial({ jobId: submitted.id, kind }));
  await tell(UnitEventKind.UNIT_EVENT_KIND_PROGRESS);
  isOpen = true;
  const failed = await endOf(world, submitted);
  assert.equal(failed.reason, "1 of 2 things failed: Cannot find image 1");
  isBroken = false;
  await reviveJob(objects, (await findJob(objects, SERVICE, failed.id))!);
  assert.equal(other.isFollowing(failed.id), true);
  await tell(UnitEventKind.UNIT_EVENT_KIND_REPLAY);
  assert.equal((await endOf(world, failed)).state, SUCCEEDED);
});

test("a replay that nobody was told of is made good by another, and by a restart", async (t) => {
  const folder = await temporaryFolder(t);
  const isBroken = { first: true };
  const handle = (n: number): Promise<void> => (isBroken.first ? gone(n) : Promise.resolve());
  const first = await startWorld(t, folder, { handle });
  const one = await endOf(first, await first.submit(1));
  const two = await endOf(first, await first.submit(1, { requestId: "two", place: "two" }));
  isBroken.first = false;
  for (const { id } of [one, two]) await reviveJob(first.objects, (await findJob(first.objects, SERVICE, id))!);
  const { replayedUnits } = await first.jobs.replayJob({ jobId: one.id });
  assert.equal(replayedUnits, 0n);
  assert.equal((await endOf(first, one)).state, SUCCEEDED);
  await first.stop();
  const second = await startWorld(t, folder, { handle });
  assert.equal((await endOf(second, two)).state, SUCCEEDED);
});

test("a job that failed at its end is finished by a replay, without any unit run again", async (t) => {
  let calls = 0;
  const finish = async (): Promise<undefined> => {
    if (++calls === 1) throw new DomainError("resourceExhausted", "DISK_FULL", "Cannot store: no space is left");
  };
  const world = await startWorld(t, await temporaryFolder(t), { finish });
  const failed = await endOf(world, await world.submit(3));
  assert.deepEqual([failed.state, failed.reason], [FAILED, "Cannot store: no space is left"]);
  assert.equal((await world.jobs.replayJob({ jobId: failed.id })).replayedUnits, 0n);
  assert.equal((await endOf(world, failed)).state, SUCCEEDED);
  assert.equal(world.started.length, 3);
});

test("only a failed job is replayed", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), {
    handle: (n, { signal }) => (n === 0 ? Promise.resolve() : untilAborted(signal)),
  });
  const succeeded = await endOf(world, await world.submit(1));
  const running = await world.submit(2, { requestId: "running", place: "other" });
  await until(async () => (await world.jobs.getJob({ jobId: running.id })).job?.state === 2, "a running job");
  const isRefused = (is: string) => ({ reason: "JOB_NOT_FAILED", message: new RegExp(`it is ${is}, and only`) });
  await assert.rejects(world.jobs.replayJob({ jobId: succeeded.id }), isRefused("succeeded"));
  await assert.rejects(world.jobs.replayJob({ jobId: running.id }), isRefused("running"));
  await world.jobs.cancelJob({ jobId: running.id });
  await endOf(world, running);
  await assert.rejects(world.jobs.replayJob({ jobId: running.id }), isRefused("cancelled"));
  for (const jobId of ["", "0".repeat(32), "../../secret"]) {
    const refusal = { kind: "notFound", reason: "JOB_NOT_FOUND" };
    await assert.rejects(world.jobs.replayJob({ jobId }), refusal);
    if (jobId !== "") await assert.rejects(lettersOf(world, jobId), refusal);
  }
});

test("messages that belong to no job are kept whole and told of, once however often they come", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), { handle: gone, coordinators: 2 });
  const unreadable = Buffer.from([255, 255, 255]);
  const strangers = [
    { key: "no headers", value: unreadable },
    {
      key: "no such job",
      value: unreadable,
      headers: { "job-service": SERVICE, job: "0".repeat(32), "job-unit": "1" },
    },
    {
      key: "no id",
      value: unreadable,
      headers: { "job-service": SERVICE, job: "../x", "job-unit": "1", "job-life": "0" },
    },
    { key: "no unit", value: unreadable, headers: { "job-service": SERVICE, job: "0".repeat(32), "job-unit": "x" } },
  ];
  await world.queue.publish(UNIT_TOPIC, [...strangers, ...strangers]);
  await world.queue.publish(eventsTopic(SERVICE), [{ key: "an event", value: unreadable }]);
  await until(async () => (await lettersOf(world, "")).length >= 5, "five letters");
  const letters = await lettersOf(world, "");
  assert.deepEqual(
    letters.map(({ key, jobId }) => [key, jobId]).sort(),
    ["an event", ...strangers.map(({ key }) => key)].sort().map((key) => [key, ""]),
  );
  const event = letters.find(({ key }) => key === "an event");
  assert.equal(event?.topic, eventsTopic(SERVICE));
  for await (const { key } of world.objects.list("dead-letters/")) {
    const { value, letter } = OrphanLetter.decode(await world.objects.get(key));
    assert.deepEqual([Buffer.from(value), letter?.error !== ""], [unreadable, true]);
  }
});

test("of very many dead letters as many are told of as fit a message, and that there are more", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const headers = { "dead-letter-error": "x".repeat(2_000), "dead-letter-topic": UNIT_TOPIC };
  const delivery = { topic: UNIT_TOPIC, key: "k".repeat(500), value: new Uint8Array(0), headers };
  await putOrphan(world.objects, delivery);
  const kept = (await world.objects.list("dead-letters/")[Symbol.asyncIterator]().next()).value;
  let count = 5_001;
  const list = async function* (prefix: string) {
    if (prefix === "dead-letters/") for (let i = 0; i < count; i++) yield kept!;
  };
  const ctx = { objects: { ...world.objects, list }, queue: world.queue };
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    token: undefined,
    log: createLogger("test", "silent"),
    add: (added) => added.add(JobsServiceDefinition, jobsRpc(ctx)),
  });
  afterTest(t, () => server.stop());
  const connection = connect(server.address, undefined);
  afterTest(t, () => connection.close());
  const ask = () => connection.client(JobsServiceDefinition).listDeadLetters({});
  const many = await ask();
  assert.deepEqual([many.deadLetters.length, many.hasMore], [5_000, true]);
  count = 5_000;
  const all = await ask();
  assert.deepEqual([all.deadLetters.length, all.hasMore], [5_000, false]);
});

const { KAFKA_BROKERS } = process.env;
if (KAFKA_BROKERS) {
  test("on Kafka, several coordinators fail a job, replay it and keep what belongs to no job", async (t) => {
    const prefix = `replay-${randomUUID().slice(0, 8)}`;
    const address = { brokers: KAFKA_BROKERS.split(","), clientId: "replay" };
    const specs = [
      { name: UNIT_TOPIC, kind: "work" as const },
      { name: eventsTopic(SERVICE), kind: "events" as const },
    ];
    await provisionTopics(address, specs, { prefix, partitions: 3 });
    const broken = new Set([3, 17]);
    const openQueue = () => openKafkaQueue({ ...address, prefix, sessionTimeoutMs: 6_000 });
    const world = await startBroken(t, broken, { coordinators: 2, workers: 2, openQueue });
    await world.queue.publish(UNIT_TOPIC, [{ key: "stranger", value: Buffer.from([255]) }]);
    const failed = await endOf(world, await world.submit(30));
    assert.deepEqual([failed.state, failed.reason], [FAILED, "2 of 30 things failed: Cannot find image 3"]);
    const letters = async () => (await lettersOf(world, "")).map(({ jobId, unit, topic }) => [jobId, unit, topic]);
    const ofNone = ["", 0, UNIT_TOPIC];
    await until(async () => (await letters()).length === 3, "the letter of no job");
    assert.deepEqual(await letters(), [[failed.id, 3, UNIT_TOPIC], [failed.id, 17, UNIT_TOPIC], ofNone]);
    broken.clear();
    await world.jobs.replayJob({ jobId: failed.id });
    const ended = await endOf(world, failed);
    assert.deepEqual([ended.state, ended.done, ended.life, world.finished.count], [SUCCEEDED, 30n, 1, 1]);
    assert.deepEqual(await letters(), [ofNone]);
  });
}
