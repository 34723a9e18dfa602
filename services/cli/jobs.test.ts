/** @file `radhical jobs` as a user gives it, against a service that runs. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DomainError } from "../lib/errors.ts";
import { endOf, startWorld, temporaryFolder, until, untilAborted } from "../lib/service/jobs/jobs.fixture.ts";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function radhicalJobs(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env } };
    execFile(process.execPath, [MAIN, "jobs", ...words], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

/** Returns the value of the result that a command gives as JSON. */
const resultOf = ({ stdout }: Ended): unknown => JSON.parse(stdout.trim().split("\n").at(-1) ?? "").value;

test("a failed job: listed, its dead letters read, replayed, watched to its end", async (t) => {
  let isBroken = true;
  const handle = async (n: number): Promise<void> => {
    if (isBroken && n > 1) throw new DomainError("notFound", "GONE", `Cannot find image ${n}`);
  };
  const world = await startWorld(t, await temporaryFolder(t), { handle });
  const { id } = await endOf(world, await world.submit(4));
  const at = ["--address", world.address];

  const listed = await radhicalJobs(["list", ...at]);
  assert.match(
    listed.stdout,
    new RegExp(`^${id} .*datasets/test .*failed, 2 of 4 things: 2 of 4 things failed: Cannot`),
  );
  const watched = await radhicalJobs(["watch", id, ...at]);
  assert.equal(watched.code, 1);
  assert.match(watched.stderr, /2 of 4 things failed: Cannot find image 2\n$/);
  const letters = await radhicalJobs(["dead-letters", id, ...at]);
  assert.match(
    letters.stdout,
    new RegExp(`^${id} unit 2 .*test\\.unit, tried 1 times: Cannot find image 2\n${id} unit 3`),
  );
  // Without an address a service's own variable says where to ask.
  const asJson = await radhicalJobs(["dead-letters", "--json"], { RADHICAL_TUNING_ADDRESS: world.address });
  assert.deepEqual(
    (resultOf(asJson) as { unit: number }[]).map(({ unit }) => unit),
    [2, 3],
  );

  isBroken = false;
  const replayed = await radhicalJobs(["replay", id, ...at]);
  assert.match(replayed.stdout, new RegExp(`^2 dead units go again; follow them with: radhical jobs watch ${id}\n$`));
  const ended = await radhicalJobs(["watch", id, "--json", ...at]);
  assert.equal(ended.code, 0);
  const { state, done, total, life } = resultOf(ended) as Record<string, unknown>;
  assert.deepEqual([state, done, total, life], ["succeeded", 4, 4, 1]);
  assert.match((await radhicalJobs(["dead-letters", ...at])).stdout, /^no dead letters$/m);
});

test("a running job is cancelled; what cannot be done says why, as JSON where that was asked for", async (t) => {
  const world = await startWorld(t, await temporaryFolder(t), { handle: (_n, { signal }) => untilAborted(signal) });
  const at = ["--address", world.address];
  assert.match((await radhicalJobs(["list", ...at])).stdout, /^no jobs$/m);
  const submitted = await world.submit(1);
  await until(() => world.started.length === 1, "a unit in hand");
  const refused = await radhicalJobs(["replay", submitted.id, "--json", ...at]);
  const { reason, message } = JSON.parse(refused.stdout);
  assert.deepEqual([refused.code, reason], [1, "JOB_NOT_FAILED"]);
  assert.match(message, /it is (queued|running), and only a failed job/);
  const cancelled = await radhicalJobs(["cancel", submitted.id, ...at]);
  assert.match(cancelled.stdout, /cancelling, 0 of 1 things/);
  await endOf(world, submitted);
  assert.match((await radhicalJobs(["watch", submitted.id, ...at])).stderr, /did not succeed: it was cancelled/);
  assert.match((await radhicalJobs(["cancel", "0", ...at])).stderr, /Cannot find job "0"/);
  assert.match(
    (await radhicalJobs(["list", "--service", "x", ...at])).stderr,
    /--service "x" must be one of extraction,/,
  );
  const nowhere = await radhicalJobs(["list", "--address", "127.0.0.1:1"]);
  assert.match(nowhere.stderr, /"127\.0\.0\.1:1"; start them there with radhical serve, or name a service that runs/);
});
