/** @file A job of many units does not keep its coordinator from its events. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Job, JobState } from "../../proto/radhical/v1/jobs.ts";
import { StoredFile, UnitEvent, UnitEventKind } from "../../proto/radhical/v1/work.ts";
import type { Queue } from "../../queue/queue.ts";
import { createLogger } from "../log.ts";
import { FollowedJobs } from "./follow.ts";
import { createJob } from "./job-store.ts";
import { SERVICE, temporaryStore, UNIT_TOPIC } from "./jobs.fixture.ts";
import { planUnit } from "./units.ts";

const UNITS = 5;
/** Two of them fill a part of the plan. */
const NAME = "n".repeat(600_000);
const JOB = "job";

const doneEvent = (unit: number): UnitEvent =>
  UnitEvent.fromPartial({ jobId: JOB, kind: UnitEventKind.UNIT_EVENT_KIND_DONE, unit });

/** A stored job of five units, and who follows it; `publish` is told of every call. */
async function follow(t: TestContext, publish: () => void) {
  const objects = await temporaryStore(t);
  const queue: Queue = {
    requireTopics: async () => undefined,
    backlog: async () => [],
    publish: async () => publish(),
    consume: () => Promise.reject(new Error("nobody consumes")),
    close: async () => undefined,
  };
  const units = Array.from({ length: UNITS }, (_, n) =>
    planUnit({
      topic: UNIT_TOPIC,
      key: `${n}`,
      codec: StoredFile,
      task: { path: NAME, key: "" },
      outputKey: `out/${n}`,
    }),
  );
  const job = Job.fromPartial({ id: JOB, service: SERVICE, kind: "test", state: JobState.JOB_STATE_QUEUED });
  await createJob(objects, job, { request: Buffer.alloc(0), units });
  const log = createLogger("test", "silent");
  return new FollowedJobs({ service: SERVICE, objects, queue, log, definitions: [], recheckMs: 1e6 });
}

test("events of a job have their turn while its units are being published", async (t) => {
  const happened: string[] = [];
  let event: Promise<void> | undefined;
  const followed = await follow(t, () => {
    happened.push("publish");
    event ??= followed.onEvent(doneEvent(0), async () => undefined).then(() => void happened.push("event"));
  });
  await followed.publishOpen(JOB);
  await event;
  assert.deepEqual(happened, ["publish", "event", "publish", "publish"]);
});
