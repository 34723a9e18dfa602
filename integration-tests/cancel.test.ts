import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Services } from "../services/cli/services.ts";
import { type Job, JobState } from "../services/lib/proto/radhical/v1/jobs.ts";
import { temporaryFolder } from "./radhical-command.fixture.ts";
import { smallDatabases, smallTraining, watchToEnd, watchUntil } from "./rpc-jobs.fixture.ts";
import { clientsOf, serveAll } from "./serving.fixture.ts";

/** Steps that no test waits for: hours. */
const ENDLESS = 1_000_000;
const FEW = 3;

const trainingsAtWork = ({ state, done }: Job): boolean => state === JobState.JOB_STATE_RUNNING && done > 0n;

async function submitTraining(
  services: Services,
  databaseSetId: string,
  requestId: string,
  iterations: number,
): Promise<Job> {
  const { job } = await services.training.train({ requestId, databaseSetId, settings: smallTraining(iterations) });
  return job ?? assert.fail("no job");
}

test("jobs by RPC: cancelling, request ids, watchers", async (t) => {
  // One worker: a training that went on after its cancel would keep every other one waiting.
  const { serving, services } = await serveAll(t, { RADHICAL_WORKERS: "1" });
  const databaseSetId = await smallDatabases(services, join(await temporaryFolder(t), "cohort"));
  const submit = (requestId: string, iterations: number) =>
    submitTraining(services, databaseSetId, requestId, iterations);

  await t.test("a running training that is cancelled ends cancelled, and its worker takes the next job", async () => {
    const { id } = await submit("to cancel", ENDLESS);
    await watchUntil(services, id, trainingsAtWork);
    const { job } = await services.jobs("training").cancelJob({ jobId: id });
    assert.ok(
      job && [JobState.JOB_STATE_CANCELLING, JobState.JOB_STATE_CANCELLED].some((state) => state === job.state),
    );
    assert.equal((await watchToEnd(services, id)).at(-1)?.state, JobState.JOB_STATE_CANCELLED);
    const next = await submit("after the cancel", FEW);
    const ended = (await watchToEnd(services, next.id)).at(-1);
    const steps = BigInt(FEW * smallTraining(FEW).members);
    assert.deepEqual([ended?.state, ended?.done], [JobState.JOB_STATE_SUCCEEDED, steps]);
  });

  await t.test("the same training under another request id goes on after the first was cancelled", async () => {
    const { id } = await submit("to cancel", ENDLESS);
    assert.equal((await services.jobs("training").getJob({ jobId: id })).job?.state, JobState.JOB_STATE_CANCELLED);
    const again = await submit("to cancel.2", ENDLESS);
    assert.notEqual(again.id, id);
    await watchUntil(services, again.id, trainingsAtWork);
    await services.jobs("training").cancelJob({ jobId: again.id });
    assert.equal((await watchToEnd(services, again.id)).at(-1)?.state, JobState.JOB_STATE_CANCELLED);
  });

  await t.test("cancelling a job that has ended leaves it as it is", async () => {
    const { id } = await submit("after the cancel", FEW);
    const { job } = await services.jobs("training").cancelJob({ jobId: id });
    assert.equal(job?.state, JobState.JOB_STATE_SUCCEEDED);
  });

  await t.test(
    "a request id stands for its content: the same gives the same job, other content is refused",
    async () => {
      const first = await submit("once", FEW);
      assert.equal((await submit("once", FEW)).id, first.id);
      await assert.rejects(submit("once", FEW + 1), (error: unknown) => {
        assert.ok(error instanceof Error && "kind" in error && "reason" in error);
        assert.deepEqual([error.kind, error.reason], ["alreadyExists", "REQUEST_ID_REUSED"]);
        assert.match(error.message, /request "once"/);
        return true;
      });
      const { jobs } = await services.jobs("training").listJobs({ service: "training" });
      assert.equal(jobs.filter(({ requestId }) => requestId === "once").length, 1);
      assert.equal((await watchToEnd(services, first.id)).at(-1)?.state, JobState.JOB_STATE_SUCCEEDED);
    },
  );

  await t.test("two clients watch one job to the same end, also one that went away and came back", async () => {
    const other = await clientsOf(t, serving.address);
    const { id } = await submit("watched", ENDLESS);
    await watchUntil(other, id, trainingsAtWork);
    const watches = Promise.all([watchToEnd(services, id), watchToEnd(other, id)]);
    // Cancelled, not left to end: a training short enough to wait for can end before the first watch has begun.
    await services.jobs("training").cancelJob({ jobId: id });
    const [one, two] = await watches;
    const late = await watchToEnd(other, id);
    for (const seen of [one, two, late]) {
      assert.deepEqual(seen.at(-1), late.at(-1));
      const done = seen.map((job) => job.done);
      assert.deepEqual(
        done,
        done.toSorted((a, b) => Number(a - b)),
        "progress went back",
      );
    }
    assert.equal(late.length, 1);
    assert.equal(late[0]?.state, JobState.JOB_STATE_CANCELLED);
    assert.ok(late[0].done > 0n, "a cancelled job tells how far it came");
  });

  await t.test("a job that there is not is not found, by every RPC", async () => {
    const jobId = "0".repeat(32);
    const isNotFound = (error: unknown): boolean =>
      error instanceof Error && "reason" in error && error.reason === "JOB_NOT_FOUND";
    await assert.rejects(services.jobs("training").getJob({ jobId }), isNotFound);
    await assert.rejects(services.jobs("training").cancelJob({ jobId }), isNotFound);
    await assert.rejects(watchToEnd(services, jobId), isNotFound);
    await assert.rejects(services.jobs("training").getJob({ jobId: "../../images" }), isNotFound);
  });
});
