import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import { objectStoreContract } from "./object-store.contract.ts";
import { createS3Client, type S3Options } from "./s3-client.ts";
import { openS3Store } from "./s3-store.ts";

const isFailure = (reason: string, kind: string) => (error: unknown) =>
  error instanceof DomainError && error.reason === reason && error.kind === kind;

const serverFromEnvironment = (): S3Options | undefined => {
  const { S3_ENDPOINT: endpoint, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY: secretKey, S3_REGION: region } = process.env;
  if (!endpoint || !accessKey || !secretKey || !region) return undefined;
  return { endpoint, accessKey, secretKey, region, bucket: `objects-test-${randomBytes(6).toString("hex")}` };
};

const registerTests = (server: S3Options): void => {
  const client = createS3Client(server);

  before(async () => (await openS3Store({ ...server, createBucket: true })).close());
  after(async () => {
    const store = await openS3Store(server);
    for await (const { key } of store.list("")) await store.delete(key);
    await store.close();
    await client.removeBucket(server.bucket);
  });

  const openStore = async (t: TestContext) => {
    const store = await openS3Store(server);
    t.after(() => store.close());
    return store;
  };

  objectStoreContract("S3", async (t) => {
    const corrupt = async (key: string) => {
      const { size, metaData } = await client.statObject(server.bucket, key);
      await client.putObject(server.bucket, key, randomBytes(size), size, metaData);
    };
    return { store: await openStore(t), corrupt };
  });

  test("an object that something else has stored is not taken for whole", async (t) => {
    const store = await openStore(t);
    await client.putObject(server.bucket, "foreign", Buffer.from("x"), 1, {});
    for (const call of [store.get, store.find, store.stream]) {
      await assert.rejects(call("foreign"), isFailure("OBJECT_CORRUPT", "dataLoss"));
    }
  });

  test("a listing goes on past a page of 1000 objects, in order", async (t) => {
    const store = await openStore(t);
    const keys = Array.from({ length: 1003 }, (_, i) => `pages/${String(i).padStart(4, "0")}`);
    const rest = [...keys];
    const putRest = async () => {
      for (let key = rest.pop(); key !== undefined; key = rest.pop()) await store.put(key, new Uint8Array(0));
    };
    await Promise.all(Array.from({ length: 16 }, putRest));
    const listed: string[] = [];
    for await (const { key } of store.list("pages/")) listed.push(key);
    assert.deepEqual(listed, keys);
  });

  test("opening a bucket that is there already is fine, one that is not is refused unless it may be made", async () => {
    await (await openS3Store({ ...server, createBucket: true })).close();
    const other = { ...server, bucket: `${server.bucket}-none` };
    await assert.rejects(openS3Store(other), isFailure("BUCKET_NOT_FOUND", "failedPrecondition"));
  });

  test("a wrong key is refused with what to check", async () => {
    const isDenied = isFailure("OBJECT_STORE_DENIED", "failedPrecondition");
    await assert.rejects(openS3Store({ ...server, secretKey: "not-the-secret" }), isDenied);
    await assert.rejects(openS3Store({ ...server, accessKey: "nobody" }), isDenied);
  });
};

// No tests without a server: a skipped test would look like one.
const server = serverFromEnvironment();
if (server) registerTests(server);
