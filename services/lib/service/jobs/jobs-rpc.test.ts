/** @file What callers see of jobs: get, list, watch and cancel over gRPC. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { JobState } from "../../proto/radhical/v1/jobs.ts";
import {
  endOf,
  outputKey,
  SERVICE,
  startWorld,
  temporaryFolder,
  until,
  untilAborted,
  watchToEnd,
} from "./jobs.fixture.ts";

const { JOB_STATE_SUCCEEDED: SUCCEEDED, JOB_STATE_CANCELLED: CANCELLED, JOB_STATE_RUNNING: RUNNING } = JobState;

test("cancelling ends units in hand and those that wait, and the job", async (t) => {
  let aborted = 0;
  const world = await startWorld(t, await temporaryFolder(t), {
    workers: 2,
    handle: (_n, { signal }) =>
      untilAborted(signal).catch((error: unknown) => {
        aborted++;
        throw error;
      }),
  });
  const submitted = await world.submit(6);
  await until(() => world.started.length === 2, "two units in hand");
  const { job } = await world.jobs.cancelJob({ jobId: submitted.id });
  assert.equal(job?.state, JobState.JOB_STATE_CANCELLING);
  assert.equal((await endOf(world, submitted)).state, CANCELLED);
  await until(() => aborted === 2, "the units in hand to end");
  const next = await world.submit(1, { requestId: "next", place: "next" });
  await until(() => world.started.length === 3, "the next job's unit, behind the four that were waiting");
  await world.jobs.cancelJob({ jobId: next.id });
  assert.equal((await endOf(world, next)).state, CANCELLED);
  assert.equal(world.started.length, 3);
  assert.equal(await world.objects.head(outputKey("place", 0)), undefined);
});

test("cancelling ends work that does no more than report its progress", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), {
    handle: async (_n, unit) => {
      for (;;) {
        await sleep(5);
        await unit.progress();
      }
    },
  });
  const submitted = await world.submit(1);
  await until(() => world.started.length === 1, "the unit in hand");
  await world.jobs.cancelJob({ jobId: submitted.id });
  assert.equal((await endOf(world, submitted)).state, CANCELLED);
  await world.stop(); // waits for the unit's end
});

test("a cancel that nobody acted on before a restart ends the job after it", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startWorld(t, folder, { coordinators: 1, handle: (_n, { signal }) => untilAborted(signal) });
  const submitted = await first.submit(2);
  await until(() => first.started.length === 2, "units in hand");
  await first.coordinator.stop();
  await first.jobs.cancelJob({ jobId: submitted.id });
  await first.stop();
  const second = await startWorld(t, folder);
  assert.equal((await endOf(second, submitted)).state, CANCELLED);
  assert.deepEqual(second.started, []);
});

test("a job that has ended is not changed by a cancel", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const ended = await endOf(world, await world.submit(1));
  const { job } = await world.jobs.cancelJob({ jobId: ended.id });
  assert.deepEqual(job, ended);
});

test("watching shows each state that matters and ends; watching again shows the end at once", async (t) => {
  let isOpen = false;
  const world = await startWorld(t, await temporaryFolder(t), { handle: () => until(() => isOpen, "the test") });
  const submitted = await world.submit(2);
  const states: JobState[] = [];
  for await (const { job } of world.jobs.watchJob({ jobId: submitted.id })) {
    states.push(job!.state);
    if (job?.state === RUNNING) isOpen = true;
  }
  assert.ok(states.includes(RUNNING));
  assert.equal(states.at(-1), SUCCEEDED);
  assert.deepEqual(
    (await watchToEnd(world, submitted.id)).map(({ state }) => state),
    [SUCCEEDED],
  );
});

test("a watcher that leaves does not end the job", async (t) => {
  let isOpen = false;
  const world = await startWorld(t, await temporaryFolder(t), { handle: () => until(() => isOpen, "the test") });
  const submitted = await world.submit(1);
  const leaving = new AbortController();
  await assert.rejects(async () => {
    for await (const _ of world.jobs.watchJob({ jobId: submitted.id }, { signal: leaving.signal })) leaving.abort();
  }, /abort/i);
  isOpen = true;
  assert.equal((await endOf(world, submitted)).state, SUCCEEDED);
});

test("jobs are listed newest first, of one service or of all", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  for (const requestId of ["a", "b", "c"]) await endOf(world, await world.submit(1, { requestId, place: requestId }));
  const idsOf = async (service: string) =>
    (await world.jobs.listJobs({ service })).jobs.map(({ requestId }) => requestId);
  assert.deepEqual(await idsOf(SERVICE), ["c", "b", "a"]);
  assert.deepEqual(await idsOf(""), ["c", "b", "a"]);
  assert.deepEqual(await idsOf("training"), []);
  await assert.rejects(idsOf("../../etc"), { kind: "invalidArgument" });
});

test("an unknown job is not found, whatever its id looks like", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  for (const jobId of ["", "0".repeat(32), "../../secret", "x".repeat(5_000)]) {
    const refusal = { kind: "notFound", reason: "JOB_NOT_FOUND" };
    await assert.rejects(world.jobs.getJob({ jobId }), refusal);
    await assert.rejects(world.jobs.cancelJob({ jobId }), refusal);
    await assert.rejects(watchToEnd(world, jobId), refusal);
  }
});
