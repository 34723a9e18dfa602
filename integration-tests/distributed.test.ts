/** @file The system on a real broker and a real S3 server, a process per service and per level, where their addresses are set. */
import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { openFolderStore } from "../services/lib/objects/folder-store.ts";
import { openS3Store } from "../services/lib/objects/s3-store.ts";
import { SERVICE_NAMES } from "../services/lib/service/service-names.ts";
import { ALL_TOPICS } from "../services/lib/service/topics.ts";
import { type Deployment, provisionDeployment, serversFromEnvironment } from "./deployment.fixture.ts";
import {
  COMMAND,
  describeFailure,
  radhical,
  radhicalSucceeds,
  runArguments,
  start,
  temporaryFolder,
} from "./radhical-command.fixture.ts";
import { hashesBelow, readRunResult } from "./result-files.fixture.ts";
import { startServing, TOKEN } from "./serving.fixture.ts";
import { hashesOf } from "./stores.fixture.ts";
import { makeTissue, writeTissueCohort } from "./synthetic-tissue.ts";
import { checkNamesNobody, checkSegmentations, sumOf, traceOf } from "./telemetry-checks.fixture.ts";
import { type Receiver, startReceiver } from "./telemetry-receiver.fixture.ts";

const LEVELS = [1, 2, 3, 4];
/** One process per service, but one per level for inference. */
const PROCESSES = SERVICE_NAMES.flatMap((name) =>
  name === "inference" ? LEVELS.map((level) => [name, "--level", String(level)]) : [[name]],
);

const names = z.array(z.string());
const ResultValue = z.object({ value: z.object({ topics: z.object({ created: names, found: names }) }) });

/** Starts the processes. Returns the addresses as the command wants them. */
async function serveDistributed(t: TestContext, { env }: Deployment) {
  const started = await Promise.all(
    PROCESSES.map(async (words) => ({ words, serving: await startServing(t, COMMAND, ["serve", ...words], env) })),
  );
  const stop = async (): Promise<void> => {
    for (const { serving } of started) serving.child.kill("SIGTERM");
    for (const { words, serving } of started) {
      const { code, stderr } = await serving.ended;
      assert.equal(code, 0, `${words.join(" ")} ended with ${code}:\n${stderr.slice(-2000)}`);
    }
  };
  // Of inference the last counts: any of its processes takes the whole service's jobs.
  const addresses = started.map(
    ({ words, serving }) => [`RADHICAL_${words[0]?.toUpperCase()}_ADDRESS`, serving.address] as const,
  );
  return { env: { ...Object.fromEntries(addresses), RADHICAL_TOKEN: TOKEN }, address: addresses[0]?.[1] ?? "", stop };
}

/** Each of the two commands is one trace through all processes, and the numbers are those of all processes together. */
function checkTelemetry(receiver: Receiver, names: readonly string[]): void {
  const [run, segment] = [traceOf(receiver, "run"), traceOf(receiver, "segment")];
  checkSegmentations(run, 2, LEVELS);
  checkSegmentations(segment, 1, LEVELS);
  for (const service of SERVICE_NAMES) {
    assert.ok(
      run.some((span) => span.service === service && span.name === `${service}.job`),
      `no job of ${service}`,
    );
  }
  assert.equal(sumOf(receiver, "radhical.unit.duration", { kind: "segmentation.assemble", outcome: "done" }), 3);
  for (const level of LEVELS) assert.ok(sumOf(receiver, "radhical.pixels.computed", { level }) > 0, `level ${level}`);
  assert.equal(sumOf(receiver, "radhical.queue.dead_letters"), 0);
  checkNamesNobody(receiver, names);
}

const servers = serversFromEnvironment();
if (servers) {
  test("a process per service and per level on Kafka and S3 give the same bytes as one process on a folder", async (t) => {
    const folder = await temporaryFolder(t);
    const cohort = join(folder, "cohort");
    await writeTissueCohort(cohort, { patients: 7, imagesPerPatient: 1, size: 96, seed: 12 });
    const large = join(folder, "large.png");
    const { image } = makeTissue({ width: 611, height: 503, seed: 12 });
    await writeFile(large, await encodePng({ ...image, channels: 3 }));
    const deployment = await provisionDeployment(t, servers);
    const receiver = await startReceiver(t);
    const services = await serveDistributed(t, { ...deployment, env: { ...deployment.env, ...receiver.env } });
    const { address, env } = services;

    const command = async (out: string, elsewhere: readonly string[], env = {}): Promise<void> => {
      const settings = ["--folds", "7", "--reductions", "1,2,4,10", "--iterations", "10"];
      await radhicalSucceeds(t, [...runArguments(cohort, out, settings), ...elsewhere], { env });
      const models = join(out, "models");
      const segmented = join(out, "segmented");
      await radhicalSucceeds(
        t,
        ["segment", large, "--models", models, "--out", segmented, "--tile", "500", ...elsewhere],
        { env },
      );
    };
    const [embedded, distributed] = [join(folder, "embedded"), join(folder, "distributed")];
    // Side by side: one computes while the other waits for its broker.
    const all = { ...env, ...receiver.env };
    await Promise.all([command(embedded, []), command(distributed, ["--address", address], all)]);

    assert.deepEqual((await readdir(distributed)).includes(".radhical"), false, "the command opened an object folder");
    const masks = (out: string) => hashesBelow(join(out, "segmented"), (path) => path.endsWith(".png"));
    assert.equal(Object.keys(await masks(embedded)).length, 3);
    assert.deepEqual(await masks(distributed), await masks(embedded));
    const withoutSegmented = async (out: string) => {
      const { files, ...rest } = await readRunResult(out);
      return { ...rest, files: Object.entries(files).filter(([path]) => !path.startsWith("segmented/")) };
    };
    assert.deepEqual(await withoutSegmented(distributed), await withoutSegmented(embedded));
    const [local, remote] = [await openFolderStore(join(embedded, ".radhical")), await openS3Store(deployment.bucket)];
    t.after(() => Promise.all([local.close(), remote.close()]));
    for (const prefix of ["maps/", "patches/", "tunings/"]) {
      const expected = await hashesOf(local, [prefix]);
      assert.ok(Object.keys(expected).length > 0, prefix);
      assert.deepEqual(await hashesOf(remote, [prefix]), expected, prefix);
    }
    await services.stop();
    checkTelemetry(receiver, [basename(folder), "large.png", "p01_", deployment.bucket.bucket]);
  });

  test("a service makes neither topics nor bucket: it ends and says to provision, until that was done", async (t) => {
    const { env } = await provisionDeployment(t, servers);
    const serve = async (elsewhere: Readonly<Record<string, string>>) => {
      const settings = { ...env, RADHICAL_LISTEN: "127.0.0.1:0", ...elsewhere };
      const { code, stderr } = await start(t, COMMAND, ["serve", "tuning"], { env: settings }).ended;
      assert.equal(code, 1);
      return stderr;
    };
    const without = `${env.S3_BUCKET}-other`;
    assert.match(await serve({ S3_BUCKET: without }), new RegExp(`${without}.*run radhical provision`));
    const stderr = await serve({ KAFKA_PREFIX: without });
    assert.match(stderr, new RegExp(`${without}\\.tuning\\.events`));
    assert.match(stderr, /run radhical provision/);
    const again = await radhicalSucceeds(t, ["provision"], { env });
    const { topics } = ResultValue.parse(again.events.at(-1)).value;
    assert.deepEqual([topics.created, topics.found.length], [[], 2 * ALL_TOPICS.length]);
    const { code, ...refused } = await radhical(t, ["provision"], { env: { ...env, KAFKA_PARTITIONS: "4" } });
    assert.equal(code, 1);
    assert.match(describeFailure({ code, ...refused }), /has 3 partitions instead of 4 \(set KAFKA_PARTITIONS=3/);
  });
}
