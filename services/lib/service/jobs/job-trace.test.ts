/** @file A job is one trace: across a restart, when somebody else submits it again, and to its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../../errors.ts";
import { JobState } from "../../proto/radhical/v1/jobs.ts";
import { type Recorded, record } from "../../telemetry/recorded.fixture.ts";
import { inSpan } from "../../telemetry/spans.ts";
import { endOf, startWorld, temporaryFolder, until, untilAborted } from "./jobs.fixture.ts";

const SUBMITTER = "the submitter";

/** Returns the spans of the submitter's trace by name, how many of each; and those of what jobs do in any other trace. */
function byTrace(recorded: Recorded): { readonly own: Readonly<Record<string, number>>; readonly strays: string[] } {
  const spans = recorded.spans();
  const trace = spans.find(({ name }) => name === SUBMITTER)?.traceId;
  const own: Record<string, number> = {};
  const strays: string[] = [];
  for (const { name, traceId } of spans) {
    if (traceId === trace) own[name] = (own[name] ?? 0) + 1;
    else if (/^(test\.unit|datasets\.)/.test(name)) strays.push(name);
  }
  return { own, strays };
}

test("a job that goes on after a restart stays in the trace it was submitted in, its waiting units and its end too", async (t) => {
  const recorded = record(t);
  const folder = await temporaryFolder(t);
  const groups = (n: number) => (n === 3 ? { after: "tiles" } : { group: "tiles" });
  const first = await startWorld(t, folder, {
    ...{ workers: 1, groups },
    handle: (n, { signal }) => (n === 0 ? Promise.resolve() : untilAborted(signal)),
  });
  const submitted = await inSpan(SUBMITTER, {}, () => first.submit(4));
  await until(() => first.started.includes(1), "the unit that is interrupted");
  await first.stop();

  const second = await startWorld(t, folder, { groups });
  const job = await endOf(second, submitted);
  assert.equal(job.state, JobState.JOB_STATE_SUCCEEDED);
  const { own, strays } = byTrace(recorded);
  assert.deepEqual(strays, []);
  // Unit 1 twice: interrupted, and done.
  const expected = { "test.unit": 5, "datasets.plan": 1, "datasets.finish": 1, "datasets.job": 1, [SUBMITTER]: 1 };
  assert.deepEqual(own, expected);
});

test("a job that somebody submits again in another trace stays in its own", async (t) => {
  const recorded = record(t);
  const folder = await temporaryFolder(t);
  const first = await startWorld(t, folder, { workers: 1, handle: (_, { signal }) => untilAborted(signal) });
  await inSpan(SUBMITTER, {}, () => first.submit(2));
  await until(() => first.started.length > 0, "the unit that is interrupted");
  await first.stop();
  const second = await startWorld(t, folder, { resumesJobs: false });
  const again = await inSpan("another", {}, () => second.submit(2));
  assert.equal((await endOf(second, again)).state, JobState.JOB_STATE_SUCCEEDED);
  const { own, strays } = byTrace(recorded);
  assert.deepEqual(strays, []);
  assert.equal(own["test.unit"], 3);
});

test("a unit that fails for good and its replay belong to the job's trace, and failures tell their reasons, never their words", async (t) => {
  const recorded = record(t);
  let isGone = true;
  const world = await startWorld(t, await temporaryFolder(t), {
    handle: async () => {
      if (isGone) throw new DomainError("notFound", "GONE", 'Cannot find "doe.png"');
    },
  });
  const submitted = await inSpan(SUBMITTER, {}, () => world.submit(1));
  assert.equal((await endOf(world, submitted)).state, JobState.JOB_STATE_FAILED);
  const expected = { "test.unit": 1, "dead letter": 1, "datasets.plan": 1, "datasets.job": 1, [SUBMITTER]: 1 };
  assert.deepEqual(byTrace(recorded), { own: expected, strays: [] });
  const unit = recorded.spans().find(({ name }) => name === "test.unit");
  assert.deepEqual([unit?.attributes["radhical.outcome"], unit?.attributes["error.type"]], ["failed", "GONE"]);
  assert.ok(!JSON.stringify(recorded.spans()).includes("doe.png"));

  isGone = false;
  const { job } = await inSpan("another", {}, () => world.jobs.replayJob({ jobId: submitted.id }));
  assert.equal((await endOf(world, job ?? submitted)).state, JobState.JOB_STATE_SUCCEEDED);
  const { own, strays } = byTrace(recorded);
  assert.deepEqual(strays, []);
  assert.deepEqual([own["test.unit"], own["datasets.finish"], own["datasets.job"]], [2, 1, 2]);
});
