/** @file A training that outlasts the session timeout, on a real broker, while workers come and go. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { JobState } from "../services/lib/proto/radhical/v1/jobs.ts";
import { provisionDeployment, serversFromEnvironment } from "./deployment.fixture.ts";
import { COMMAND, temporaryFolder } from "./radhical-command.fixture.ts";
import { smallDatabases, smallTraining, watchToEnd, watchUntil } from "./rpc-jobs.fixture.ts";
import { clientsOf, type Serving, startServing } from "./serving.fixture.ts";

/** The shortest that brokers allow. */
const SESSION_TIMEOUT_MS = 6_000;
/** Steps that no test waits for: hours. */
const ENDLESS = 1_000_000;

const BEGINS = "training begins";
const GIVEN_BACK = "training saved and given back";
const TrainingLine = z.object({ time: z.number(), msg: z.enum([BEGINS, GIVEN_BACK]), step: z.number() });

/** What a worker said of its training. */
type Word = z.output<typeof TrainingLine> & { readonly worker: string };

/** Words in the order of what happened; where the clock does not tell, one gives back before another begins. */
const inOrder = (words: readonly Word[]): Word[] =>
  words.toSorted((a, b) => a.time - b.time || Number(a.msg === BEGINS) - Number(b.msg === BEGINS));

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > endMs) throw new Error(`waited in vain for ${what}`);
    await sleep(50);
  }
}

const servers = serversFromEnvironment();
if (servers) {
  test("a training outlasts the session timeout, a second worker's coming and its own worker's end, and loses no step", async (t) => {
    const settings = { KAFKA_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS), RADHICAL_WORKERS: "1" };
    const { env } = await provisionDeployment(t, servers, settings);
    const words: Word[] = [];
    const processes = new Map<string, Serving>();
    const serve = async (worker: string, services: readonly string[]) => {
      const onLogLine = (line: string): void => {
        const parsed = line.startsWith("{") ? TrainingLine.safeParse(JSON.parse(line)) : undefined;
        if (parsed?.success) words.push({ ...parsed.data, worker });
      };
      const serving = await startServing(t, COMMAND, ["serve", ...services], env, onLogLine);
      processes.set(worker, serving);
      return clientsOf(t, serving.address);
    };
    const begun = () => words.filter(({ msg }) => msg === BEGINS).length;

    const first = await serve("first", []);
    const databaseSetId = await smallDatabases(first, join(await temporaryFolder(t), "cohort"));
    const { job } = await first.training.train({
      requestId: "x",
      databaseSetId,
      settings: { ...smallTraining(ENDLESS), members: 1 },
    });
    assert.ok(job);
    await watchUntil(first, job.id, ({ done }) => done > 0n);
    const longMs = Date.now() + 1.25 * SESSION_TIMEOUT_MS;
    await watchUntil(first, job.id, () => Date.now() > longMs);
    assert.equal(begun(), 1, "the worker was taken for dead");

    const second = await serve("second", ["training"]);
    await until(() => begun() >= 2, "the training to be given out again");
    await watchUntil(second, job.id, ({ done }) => done > (words.at(-1)?.step ?? 0));

    const owner = inOrder(words).at(-1)?.worker ?? "";
    const ending = processes.get(owner)!;
    ending.child.kill("SIGTERM");
    const { code, stderr } = await ending.ended;
    assert.equal(code, 0, stderr.slice(-2000));
    await until(() => inOrder(words).at(-1)?.worker !== owner, "the other worker to go on");
    const left = owner === "first" ? second : first;
    await watchUntil(left, job.id, ({ done }) => done > (inOrder(words).at(-1)?.step ?? 0));

    const told = inOrder(words);
    t.diagnostic(told.map(({ worker, msg, step }) => `${worker}: ${msg} at ${step}`).join("; "));
    assert.deepEqual([told[0]?.msg, told[0]?.step], [BEGINS, 0]);
    for (const [i, { msg, step }] of told.entries()) {
      assert.equal(msg, i % 2 === 0 ? BEGINS : GIVEN_BACK, "two had the training at once, or one lost it unsaved");
      if (i > 0 && msg === BEGINS) assert.equal(step, told[i - 1]?.step, "steps were lost");
    }

    await left.jobs("training").cancelJob({ jobId: job.id });
    assert.equal((await watchToEnd(left, job.id)).at(-1)?.state, JobState.JOB_STATE_CANCELLED);
    const last = processes.get(owner === "first" ? "second" : "first")!;
    last.child.kill("SIGTERM");
    assert.equal((await last.ended).code, 0);
  });
}
