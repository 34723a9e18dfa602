import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import { objectStoreContract } from "./object-store.contract.ts";
import { type S3Server, s3Servers, withBucket } from "./s3-servers.fixture.ts";
import { openS3Store } from "./s3-store.ts";

const isFailure = (reason: string, kind: string) => (error: unknown) =>
  error instanceof DomainError && error.reason === reason && error.kind === kind;

const registerTests = (server: S3Server): void => {
  const { name, options } = server;
  const client = withBucket(server);

  const openStore = async (t: TestContext) => {
    const store = await openS3Store(options);
    t.after(() => store.close());
    return store;
  };

  const openUnderTest = async (t: TestContext) => {
    const corrupt = async (key: string) => {
      const { size, metaData } = await client.statObject(options.bucket, key);
      await client.putObject(options.bucket, key, randomBytes(size), size, metaData);
    };
    return { store: await openStore(t), corrupt };
  };
  objectStoreContract(name, openUnderTest, server.nests);

  test("an object that something else has stored is not taken for whole", async (t) => {
    const store = await openStore(t);
    await client.putObject(options.bucket, "foreign", Buffer.from("x"), 1, {});
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
    await (await openS3Store({ ...options, createBucket: true })).close();
    const other = { ...options, bucket: `${options.bucket}-none` };
    await assert.rejects(openS3Store(other), isFailure("BUCKET_NOT_FOUND", "failedPrecondition"));
  });

  test("a wrong key is refused with what to check", async () => {
    const isDenied = isFailure("OBJECT_STORE_DENIED", "failedPrecondition");
    await assert.rejects(openS3Store({ ...options, secretKey: "not-the-secret" }), isDenied);
    await assert.rejects(openS3Store({ ...options, accessKey: "nobody" }), isDenied);
  });
};

// No tests without a server: a skipped test would look like one.
for (const server of s3Servers(process.env)) {
  describe(`objects in ${server.name}`, { concurrency: 8 }, () => registerTests(server));
}
