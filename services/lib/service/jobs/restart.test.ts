/** @file Jobs outlive processes, and several coordinators may have a hand in one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../../errors.ts";
import { JobState } from "../../proto/radhical/v1/jobs.ts";
import { UnitEventKind } from "../../proto/radhical/v1/work.ts";
import { eventsTopic } from "../topics.ts";
import { findDeadUnits } from "./dead-letters.ts";
import { endOf, outputKey, SERVICE, startWorld, temporaryFolder, until, untilAborted } from "./jobs.fixture.ts";
import { eventMessage } from "./units.ts";

const { JOB_STATE_SUCCEEDED: SUCCEEDED, JOB_STATE_FAILED: FAILED } = JobState;

test("a job goes on after a restart, and what was done is not done again", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startWorld(t, folder, {
    workers: 1,
    handle: (n, { signal }) => (n < 3 ? Promise.resolve() : untilAborted(signal)),
  });
  const submitted = await first.submit(6);
  await until(() => first.started.includes(3), "the unit that is interrupted");
  await first.stop();
  assert.deepEqual(first.started, [0, 1, 2, 3]);

  const second = await startWorld(t, folder);
  const job = await endOf(second, submitted);
  assert.deepEqual([job.state, job.done], [SUCCEEDED, 6n]);
  assert.deepEqual(second.started.toSorted(), [3, 4, 5]);
});

test("units that wait for a group are published after a restart", async (t) => {
  const folder = await temporaryFolder(t);
  const groups = (n: number) => (n === 2 ? { after: "tiles" } : { group: "tiles" });
  const handle = (n: number, { signal }: { signal: AbortSignal }) =>
    n === 2 ? untilAborted(signal) : Promise.resolve();
  const first = await startWorld(t, folder, { groups, handle });
  const submitted = await first.submit(3);
  await until(() => first.started.includes(2), "the waiting unit");
  await first.stop();
  const second = await startWorld(t, folder, { groups });
  assert.equal((await endOf(second, submitted)).state, SUCCEEDED);
  assert.deepEqual(second.started, [2]);
});

test("a unit that failed for good is not run again by a restart", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startWorld(t, folder, {
    workers: 1,
    handle: (n, { signal }) =>
      n === 0 ? Promise.reject(new DomainError("notFound", "GONE", "Cannot find it")) : untilAborted(signal),
  });
  const submitted = await first.submit(2);
  await until(async () => (await findDeadUnits(first.objects, submitted)).size === 1, "the dead unit");
  await first.stop();
  const second = await startWorld(t, folder);
  const job = await endOf(second, submitted);
  assert.deepEqual([job.state, job.reason, job.done], [FAILED, "1 of 2 things failed: Cannot find it", 1n]);
  assert.deepEqual(second.started, [1]);
});

test("a job whose plan is gone ends failed, and its service starts", async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startWorld(t, folder, { handle: (_n, { signal }) => untilAborted(signal) });
  const submitted = await first.submit(2);
  for await (const { key } of first.objects.list(`jobs/${SERVICE}/${submitted.id}/plan`))
    await first.objects.delete(key);
  await first.stop();
  const second = await startWorld(t, folder);
  const { state, reason } = await endOf(second, submitted);
  assert.equal(state, FAILED);
  assert.match(reason, /plan/);
  assert.equal((await endOf(second, await second.submit(1, { requestId: "next" }))).state, SUCCEEDED);
});

test("coordinators that each see a part of a job's events still end it once all is done", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), { coordinators: 3, recheckMs: 20, workers: 4 });
  const job = await endOf(world, await world.submit(200));
  assert.deepEqual([job.state, job.done, world.started.length], [SUCCEEDED, 200n, 200]);
});

test("coordinators that each see a part of a job's dead units still fail it", async (t) => {
  const handle = (n: number): Promise<void> =>
    n % 10 === 0 ? Promise.reject(new DomainError("notFound", "GONE", "Cannot find it")) : Promise.resolve();
  const world = await startWorld(t, await temporaryFolder(t), { coordinators: 3, recheckMs: 20, workers: 4, handle });
  const job = await endOf(world, await world.submit(100));
  assert.deepEqual([job.state, job.reason], [FAILED, "10 of 100 things failed: Cannot find it"]);
  assert.deepEqual([job.done, job.deadUnits], [90n, 10n]);
});

test("events that come twice, early, late or for nobody change nothing", async (t) => {
  let isOpen = false;
  const handle = async (n: number): Promise<void> => {
    if (n === 2) await until(() => isOpen, "the last unit");
  };
  const world = await startWorld(t, await temporaryFolder(t), { handle, recheckMs: 20 });
  const submitted = await world.submit(3);
  const tell = (jobId: string, kind: UnitEventKind, unit: number) =>
    world.queue.publish(eventsTopic(SERVICE), [eventMessage({ jobId, kind, unit, amount: 99n })]);
  const { UNIT_EVENT_KIND_DONE, UNIT_EVENT_KIND_PROGRESS, UNIT_EVENT_KIND_CHECK } = UnitEventKind;
  for (const unit of [2, 2, 0, -1, 77]) {
    // Nobody has stored the output of unit 2: its coordinator must not believe it.
    await tell(submitted.id, UNIT_EVENT_KIND_DONE, unit);
    await tell(submitted.id, UNIT_EVENT_KIND_PROGRESS, unit);
  }
  await tell("0".repeat(32), UNIT_EVENT_KIND_CHECK, 0);
  await until(() => world.objects.head(outputKey("place", 1)).then(Boolean), "the other units");
  assert.equal(world.finished.count, 0);
  isOpen = true;
  const job = await endOf(world, submitted);
  assert.deepEqual([job.state, job.done, job.total], [SUCCEEDED, 3n, 3n]);
  await tell(submitted.id, UNIT_EVENT_KIND_DONE, 1);
  assert.equal((await world.submit(3)).state, SUCCEEDED);
  assert.equal(world.finished.count, 1);
});
