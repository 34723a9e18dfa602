/** @file The life of a job: submitted, worked on, finished or failed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../../errors.ts";
import { JobState } from "../../proto/radhical/v1/jobs.ts";
import { listJobs } from "./job-store.ts";
import { endOf, outputKey, startWorld, temporaryFolder, type World, watchToEnd } from "./jobs.fixture.ts";
import type { UnitContext } from "./worker.ts";

const { JOB_STATE_SUCCEEDED: SUCCEEDED, JOB_STATE_FAILED: FAILED, JOB_STATE_QUEUED: QUEUED } = JobState;

const refuse = (message: string) => Promise.reject(new DomainError("failedPrecondition", "REFUSED", message));

async function jobsIn({ objects }: World): Promise<number> {
  let count = 0;
  for await (const _ of listJobs(objects)) count++;
  return count;
}

test("a job runs every unit once, then finishes once", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), { finish: async () => "all well", amount: 7 });
  const submitted = await world.submit(3);
  assert.equal(submitted.state, QUEUED);
  const job = await endOf(world, submitted);
  assert.deepEqual([job.state, job.done, job.total, job.unit], [SUCCEEDED, 21n, 21n, "things"]);
  assert.deepEqual([job.note, job.reason, job.resultId], ["all well", "", "result-place"]);
  assert.deepEqual(world.started.toSorted(), [0, 1, 2]);
  assert.equal(world.finished.count, 1);
});

test("the same request twice is one job whose units run once", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const [first, second] = await Promise.all([world.submit(3), world.submit(3)]);
  assert.equal(first.id, second.id);
  await endOf(world, first);
  const third = await world.submit(3);
  assert.deepEqual([third.id, third.state], [first.id, SUCCEEDED]);
  assert.deepEqual(world.started.toSorted(), [0, 1, 2]);
});

test("a request id with other content is refused and leaves the first job alone", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const first = await world.submit(2);
  await assert.rejects(world.submit(3), { kind: "alreadyExists", reason: "REQUEST_ID_REUSED" });
  assert.equal((await endOf(world, first)).total, 2n);
});

test("of two requests that race for an id with other content, the job has its own plan", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const outcomes = await Promise.allSettled([2, 3, 4, 5].map((units) => world.submit(units)));
  const jobs = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  assert.equal(jobs.length, 1);
  const { total } = await endOf(world, jobs[0]!);
  assert.equal(world.started.length, Number(total));
});

test("a plan that a submission left without a job is not another request's", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const first = await endOf(world, await world.submit(5));
  await world.objects.delete(`jobs/${first.service}/${first.id}/job`);
  const second = await endOf(world, await world.submit(2, { place: "other" }));
  assert.deepEqual([second.state, second.total, second.done], [SUCCEEDED, 2n, 2n]);
  assert.ok(await world.objects.head(outputKey("other", 1)));
});

test("units whose output exists are not run", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  await world.objects.put(outputKey("place", 0), Buffer.from("done"));
  await world.objects.put(outputKey("place", 2), Buffer.from("done"));
  const job = await endOf(world, await world.submit(4));
  assert.deepEqual([job.state, job.done], [SUCCEEDED, 4n]);
  assert.deepEqual(world.started.toSorted(), [1, 3]);
});

test("a unit that fails for good fails the job, by its own words, after the others are done", async (t) => {
  const handle = (n: number) => (n === 1 ? refuse('Cannot read image "x"') : Promise.resolve());
  const world = await startWorld(t, await temporaryFolder(t), { handle });
  const job = await endOf(world, await world.submit(3));
  assert.deepEqual([job.state, job.reason], [FAILED, '1 of 3 things failed: Cannot read image "x"']);
  assert.deepEqual([job.done, job.total, job.deadUnits], [2n, 3n, 1n]);
  assert.equal(world.finished.count, 0);
});

test("a bug in a worker fails the job and tells the caller nothing of it", async (t) => {
  const handle = (): Promise<void> => Promise.reject(new TypeError("secret of /home/somebody"));
  const world = await startWorld(t, await temporaryFolder(t), { handle });
  const job = await endOf(world, await world.submit(1));
  assert.deepEqual([job.state, job.reason], [FAILED, "1 of 1 things failed: internal error"]);
});

test("a unit that fails while another worker finishes it is done", async (t) => {
  const handle = async (n: number, unit: UnitContext): Promise<void> => {
    await world.objects.put(unit.outputKey, Buffer.from("of another"));
    await refuse(`what unit ${n} reads is gone`);
  };
  const world: World = await startWorld(t, await temporaryFolder(t), { handle });
  const job = await endOf(world, await world.submit(2));
  assert.deepEqual([job.state, job.done, job.deadUnits], [SUCCEEDED, 2n, 0n]);
});

test("what was unavailable is tried again", async (t) => {
  let calls = 0;
  const handle = async (): Promise<void> => {
    if (++calls < 3) throw new DomainError("unavailable", "AWAY", "Cannot reach the store");
  };
  const world = await startWorld(t, await temporaryFolder(t), { handle });
  assert.equal((await endOf(world, await world.submit(1))).state, SUCCEEDED);
  assert.equal(calls, 3);
});

test("a unit waits until its group is complete", async (t) => {
  const groups = (n: number) => (n === 5 ? { after: "tiles" } : { group: "tiles" });
  const world = await startWorld(t, await temporaryFolder(t), { groups });
  assert.equal((await endOf(world, await world.submit(6))).state, SUCCEEDED);
  assert.equal(world.started.at(-1), 5);
  assert.equal(world.started.length, 6);
});

test("a chain of groups behind a failed unit does not hang the job", async (t) => {
  const chain = [{ group: "a" }, { group: "b", after: "a" }, { group: "c", after: "b" }, { after: "c" }];
  const handle = (n: number) => (n === 0 ? refuse("Cannot go on") : Promise.resolve());
  const world = await startWorld(t, await temporaryFolder(t), { handle, groups: (n) => chain[n]! });
  const job = await endOf(world, await world.submit(4));
  assert.deepEqual([job.state, job.reason], [FAILED, "1 of 4 things failed: Cannot go on"]);
  assert.deepEqual(world.started, [0]);
});

test("groups that wait for each other fail the job", async (t) => {
  const groups = (n: number) => (n === 0 ? { group: "a", after: "b" } : { group: "b", after: "a" });
  const world = await startWorld(t, await temporaryFolder(t), { groups });
  const job = await endOf(world, await world.submit(2));
  assert.deepEqual([job.state, job.reason], [FAILED, "0 of 2 units failed: they wait for each other"]);
});

test("a job without units ends and says that there was nothing to do", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  const job = await endOf(world, await world.submit(0));
  assert.deepEqual([job.state, job.note, job.total], [SUCCEEDED, "There was nothing to do", 0n]);
});

test("a request that cannot be planned is refused and makes no job", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), { plan: () => refuse("Cannot find cohort") });
  await assert.rejects(world.submit(1), { reason: "REFUSED" });
  await assert.rejects(world.submit(1, { requestId: "" }), { reason: "REQUEST_ID_MISSING" });
  assert.equal(await jobsIn(world), 0);
});

test("a plan whose message is too large for the queue makes no job", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t));
  await assert.rejects(world.submit(1, { place: "x".repeat(1_100_000) }), { kind: "invalidArgument" });
  assert.equal(await jobsIn(world), 0);
});

for (const { what, thrown, reason } of [
  {
    what: "an expected failure",
    thrown: new DomainError("notFound", "GONE", 'Cannot find "y"'),
    reason: 'Cannot find "y"',
  },
  { what: "a bug", thrown: new RangeError("off by one"), reason: "internal error" },
]) {
  test(`${what} at the end of a job fails it with the reason "${reason}"`, async (t) => {
    const world = await startWorld(t, await temporaryFolder(t), { finish: () => Promise.reject(thrown) });
    const job = await endOf(world, await world.submit(2));
    assert.deepEqual([job.state, job.reason, job.done], [FAILED, reason, 2n]);
  });
}

test("the end of a job is tried again while the store is unavailable", async (t) => {
  let calls = 0;
  const finish = async (): Promise<string> => {
    if (++calls < 3) throw new DomainError("unavailable", "AWAY", "Cannot reach the store");
    return "at last";
  };
  const world = await startWorld(t, await temporaryFolder(t), { finish });
  const job = await endOf(world, await world.submit(2));
  assert.deepEqual([job.state, job.note, calls], [SUCCEEDED, "at last", 3]);
});

test("progress never exceeds the total and its detail is shown", async (t) => {
  const handle: NonNullable<Parameters<typeof startWorld>[2]>["handle"] = async (_n, unit) => {
    for (const amount of [3, 1_000, -5, 9]) await unit.progress({ amount, detail: `at ${amount}` });
  };
  const world = await startWorld(t, await temporaryFolder(t), { handle, amount: 10 });
  const seen = await watchToEnd(world, (await world.submit(3)).id);
  for (const { done, total } of seen) assert.ok(done >= 0n && done <= total, `${done} of ${total}`);
  assert.deepEqual([seen.at(-1)?.done, seen.at(-1)?.detail], [30n, ""]);
});
