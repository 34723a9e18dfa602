/**
 * @file The system on a real broker and a real S3 server, where their addresses are set. Topics and consumer groups are shared by
 * all that run on one broker: nothing else may serve there meanwhile, so this is the only file that does.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { openFolderStore } from "../services/lib/objects/folder-store.ts";
import type { ObjectStore } from "../services/lib/objects/object-store.ts";
import { createS3Client } from "../services/lib/objects/s3-client.ts";
import { openS3Store } from "../services/lib/objects/s3-store.ts";
import { sha256 } from "../services/lib/service/content-id.ts";
import { SERVICE_NAMES } from "../services/lib/service/service.ts";
import { radhicalSucceeds, runArguments, serviceMain, temporaryFolder } from "./radhical-command.fixture.ts";
import { hashesBelow, readRunResult } from "./result-files.fixture.ts";
import { startServing, TOKEN } from "./serving.fixture.ts";
import { makeTissue, writeTissueCohort } from "./synthetic-tissue.ts";

const { KAFKA_BROKERS, S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY, S3_REGION = "us-east-1" } = process.env;

interface Bucket {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly bucket: string;
}

async function removeBucket(place: Bucket): Promise<void> {
  const client = createS3Client(place);
  const keys: string[] = [];
  for await (const { name } of client.listObjectsV2(place.bucket, "", true)) keys.push(name);
  await client.removeObjects(place.bucket, keys);
  await client.removeBucket(place.bucket);
}

/** Starts every service as its own process on broker and bucket. Returns the addresses as the command wants them. */
async function serveDistributed(t: TestContext, brokers: string, place: Bucket) {
  const env = {
    KAFKA_BROKERS: brokers,
    S3_ENDPOINT: place.endpoint,
    S3_ACCESS_KEY: place.accessKey,
    S3_SECRET_KEY: place.secretKey,
    S3_REGION: place.region,
    S3_BUCKET: place.bucket,
    RADHICAL_LOG_LEVEL: "info",
  };
  const started = await Promise.all(
    SERVICE_NAMES.map(async (name) => ({ name, serving: await startServing(t, serviceMain(name), [], env) })),
  );
  const stop = async (): Promise<void> => {
    for (const { serving } of started) serving.child.kill("SIGTERM");
    for (const { name, serving } of started) {
      const { code, stderr } = await serving.ended;
      assert.equal(code, 0, `${name} ended with ${code}:\n${stderr.slice(-2000)}`);
    }
  };
  const addresses = started.map(
    ({ name, serving }) => [`RADHICAL_${name.toUpperCase()}_ADDRESS`, serving.address] as const,
  );
  return { env: { ...Object.fromEntries(addresses), RADHICAL_TOKEN: TOKEN }, address: addresses[0]?.[1] ?? "", stop };
}

async function contentBelow(store: ObjectStore, prefix: string): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for await (const { key } of store.list(prefix)) hashes[key] = sha256(await store.get(key));
  return hashes;
}

if (KAFKA_BROKERS && S3_ENDPOINT && S3_ACCESS_KEY && S3_SECRET_KEY) {
  const bucket = `radhical-test-${randomBytes(6).toString("hex")}`;
  const place = {
    endpoint: S3_ENDPOINT,
    accessKey: S3_ACCESS_KEY,
    secretKey: S3_SECRET_KEY,
    region: S3_REGION,
    bucket,
  };

  test("six processes on Kafka and S3 give the same bytes as one process on a folder", async (t) => {
    const folder = await temporaryFolder(t);
    const cohort = join(folder, "cohort");
    await writeTissueCohort(cohort, { patients: 7, imagesPerPatient: 1, size: 96, seed: 12 });
    const large = join(folder, "large.png");
    const { image } = makeTissue({ width: 611, height: 503, seed: 12 });
    await writeFile(large, await encodePng({ ...image, channels: 3 }));
    const services = await serveDistributed(t, KAFKA_BROKERS, place);
    t.after(() => removeBucket(place));
    const { address, env } = services;

    const command = async (out: string, elsewhere: readonly string[]): Promise<void> => {
      const settings = ["--folds", "7", "--reductions", "1,2,4", "--iterations", "10"];
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
    await command(embedded, []);
    await command(distributed, ["--address", address]);

    assert.deepEqual((await readdir(distributed)).includes(".radhical"), false, "the command opened an object folder");
    const masks = (out: string) => hashesBelow(join(out, "segmented"), (path) => path.endsWith(".png"));
    assert.equal(Object.keys(await masks(embedded)).length, 3);
    assert.deepEqual(await masks(distributed), await masks(embedded));
    const withoutSegmented = async (out: string) => {
      const { files, ...rest } = await readRunResult(out);
      return { ...rest, files: Object.entries(files).filter(([path]) => !path.startsWith("segmented/")) };
    };
    assert.deepEqual(await withoutSegmented(distributed), await withoutSegmented(embedded));
    const [local, remote] = [await openFolderStore(join(embedded, ".radhical")), await openS3Store(place)];
    t.after(() => Promise.all([local.close(), remote.close()]));
    for (const prefix of ["maps/", "patches/", "tunings/"]) {
      const expected = await contentBelow(local, prefix);
      assert.ok(Object.keys(expected).length > 0, prefix);
      assert.deepEqual(await contentBelow(remote, prefix), expected, prefix);
    }
    await services.stop();
  });
}
