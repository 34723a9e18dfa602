/** @file How soon work in hand hears of a cancel, by a clock that the test moves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Job, JobState } from "../../proto/radhical/v1/jobs.ts";
import { cancellable } from "./cancellation.ts";
import { createJob, updateJob } from "./job-store.ts";
import { SERVICE, temporaryStore, until, untilAborted } from "./jobs.fixture.ts";

test("work in hand ends within half a second of its job's cancel, which leaves the rest of a second to the store", async (t) => {
  const objects = await temporaryStore(t);
  const job = Job.fromPartial({ service: SERVICE, id: "0".repeat(32), state: JobState.JOB_STATE_RUNNING });
  const stored = await createJob(objects, job, { request: new Uint8Array(), units: [] });
  assert.ok(stored);
  t.mock.timers.enable({ apis: ["setInterval"] });
  let begun = false;
  let ended = false;
  const work = cancellable(objects, job, new AbortController().signal, (signal) => {
    begun = true;
    return untilAborted(signal);
  }).finally(() => {
    ended = true;
  });
  await until(() => begun, "the work to begin");
  await updateJob(objects, stored, () => ({ state: JobState.JOB_STATE_CANCELLING }));
  t.mock.timers.tick(500);
  await until(() => ended, "the work to end");
  assert.equal(await work, undefined);
});
