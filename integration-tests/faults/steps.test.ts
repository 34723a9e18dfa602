/** @file Workers of extraction, training and databases that die, or whose disk is full: the result is the same bytes. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { createRandom } from "../../services/lib/method/random.ts";
import type { ObjectStore } from "../../services/lib/objects/object-store.ts";
import { openS3Store } from "../../services/lib/objects/s3-store.ts";
import { JobState } from "../../services/lib/proto/radhical/v1/jobs.ts";
import { DATABASE_SET, MODEL_SET, PATCH_SET } from "../../services/lib/service/document-kinds.ts";
import { findDocument } from "../../services/lib/service/documents.ts";
import { type Deployment, provisionDeployment, serversFromEnvironment } from "../deployment.fixture.ts";
import { buildSmall, extractSmall, trainSmall, watchToEnd } from "../rpc-jobs.fixture.ts";
import { copyBelow, hashesOf } from "../stores.fixture.ts";
import { checkLogs, FAULT_LIMIT, startFleet } from "./fleet.fixture.ts";
import { databasesIn, runUndisturbed, type Steps, TRAINING } from "./steps.fixture.ts";

const SEED = process.env.FAULTS_SEED ?? "1";
const SETTINGS = { KAFKA_SESSION_TIMEOUT_MS: "6000" };
const run = promisify(execFile);

const NO_SPACE =
  /2 of 2 databases failed: .*folder for temporary files, "[^"]+": no space is left; free some and try again$/;

const servers = serversFromEnvironment();

/** Returns the deployment's bucket, with what lies below these prefixes of the undisturbed store. */
async function bucketWith(
  t: TestContext,
  { bucket }: Deployment,
  steps: Steps,
  prefixes: readonly string[],
): Promise<ObjectStore> {
  const objects = await openS3Store(bucket);
  t.after(() => objects.close());
  await copyBelow(steps.objects, objects, prefixes);
  return objects;
}

/** Resolves when `isThere`; fails when the work is over before. */
async function reached(work: Promise<unknown>, isThere: () => Promise<boolean>): Promise<void> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  work.then(end, end);
  while (!(await isThere())) {
    if (isOver) assert.fail("the work was over before");
    await sleep(5);
  }
}

async function countBelow(objects: ObjectStore, prefix: string, part: string): Promise<number> {
  let count = 0;
  for await (const { key } of objects.list(prefix)) if (key.includes(part)) count += 1;
  return count;
}

/** Returns the sizes of the record files, smallest first. */
async function recordFileBytes(objects: ObjectStore): Promise<number[]> {
  const sizes: number[] = [];
  for await (const { key, size } of objects.list("databases/")) if (key.endsWith(".records")) sizes.push(size);
  return sizes.sort((a, b) => a - b);
}

/** Mounts a file system of so many bytes; it goes with the test. */
async function smallDisk(t: TestContext, bytes: number) {
  const folder = await mkdtemp(join(tmpdir(), "radhical-disk-"));
  const mount = (...args: string[]) => run("mount", [...args, "tmpfs", folder]);
  await mount("-t", "tmpfs", "-o", `size=${bytes}`);
  t.after(async () => {
    await run("umount", ["-l", folder]);
    await rm(folder, { recursive: true, force: true });
  });
  return { folder, grow: (size: number) => mount("-o", `remount,size=${size}`) };
}

if (servers) {
  test(`workers that die before a segmentation (seed ${SEED})`, async (t) => {
    const steps = await runUndisturbed(t);
    const random = createRandom("faulty steps", SEED);

    await t.test("extraction workers are killed", FAULT_LIMIT, async (t) => {
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const objects = await bucketWith(t, deployment, steps, ["images/", "cohorts/"]);
      const fleet = await startFleet(t, deployment, ["extraction", "extraction"]);
      const work = extractSmall(fleet.services, steps.extract);
      for (const [i, victim] of fleet.processes.entries()) {
        const records = random.int(2) + 2 * i;
        await reached(work, async () => (await countBelow(objects, "patches/", "/records/")) >= records);
        t.diagnostic(`killed after ${records} images`);
        victim.signal("SIGKILL");
      }
      assert.equal(await work, steps.patchSetId);
      await fleet.stop();
      const results = ["patches/", "patch-sets/"];
      assert.deepEqual(await hashesOf(objects, results), await hashesOf(steps.objects, results));
      assert.ok(await findDocument(objects, PATCH_SET, steps.patchSetId));
      checkLogs(fleet, 0);
    });

    await t.test("training workers are killed", FAULT_LIMIT, async (t) => {
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const objects = await bucketWith(t, deployment, steps, ["database-sets/", "databases/", "splits/"]);
      const fleet = await startFleet(t, deployment, ["training", "training"]);
      const work = trainSmall(fleet.services, steps.databaseSetId, TRAINING);
      const checkpoints = new Set<string>();
      for (const victim of random.int(2) === 0 ? fleet.processes : fleet.processes.toReversed()) {
        const wanted = checkpoints.size + 1 + random.int(2);
        await reached(work, async () => {
          for await (const { key, etag } of objects.list("training/"))
            if (key.includes("/checkpoint-")) checkpoints.add(etag);
          return checkpoints.size >= wanted;
        });
        await sleep(1000 * random.next());
        t.diagnostic(`killed ${victim.address} after ${wanted} checkpoints`);
        victim.signal("SIGKILL");
      }
      assert.equal(await work, steps.modelSetId);
      await fleet.stop();
      const results = ["models/", "model-files/"];
      assert.deepEqual(await hashesOf(objects, results), await hashesOf(steps.objects, results));
      assert.ok(await findDocument(objects, MODEL_SET, steps.modelSetId));
      checkLogs(fleet, 0);
    });

    await t.test("the disk of a worker is full", FAULT_LIMIT, async (t) => {
      const deployment = await provisionDeployment(t, servers, SETTINGS);
      const needed = ["images/", "cohorts/", "splits/", "lists/", "patch-sets/", "patches/"];
      const objects = await bucketWith(t, deployment, steps, needed);
      const [first = 0] = await recordFileBytes(steps.objects);
      // Not even the record file fits; then that does, but not the LevelDB beside it.
      const disk = await smallDisk(t, first / 2);
      const onDisk = { ...deployment, env: { ...deployment.env, TMPDIR: disk.folder } };
      const fleet = await startFleet(t, onDisk, ["datasets"]);
      await assert.rejects(buildSmall(fleet.services, steps.splitId), { reason: "JOB_FAILED", message: NO_SPACE });
      const jobs = fleet.services.jobs("datasets");
      const { id = "" } = (await jobs.listJobs({ service: "datasets" })).jobs[0] ?? {};
      const replay = async (bytes: number) => {
        assert.deepEqual(await readdir(disk.folder), [], "what did not fit was left behind");
        await disk.grow(bytes);
        await jobs.replayJob({ jobId: id });
        return (await watchToEnd(fleet.services, id)).at(-1) ?? assert.fail("no end");
      };
      assert.match((await replay(1.5 * first)).reason, NO_SPACE);
      const { state, reason, resultId } = await replay(100 * first);
      assert.deepEqual([state, reason, resultId], [JobState.JOB_STATE_SUCCEEDED, "", steps.databaseSetId]);
      await fleet.stop();
      assert.deepEqual(await databasesIn(objects), await databasesIn(steps.objects));
      assert.ok(await findDocument(objects, DATABASE_SET, steps.databaseSetId));
    });
  });
}
