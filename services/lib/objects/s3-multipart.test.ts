/** @file Puts in parts: what they leave behind, and a server that checks no condition when one is completed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import type { Client } from "minio";
import { sha256Hex } from "./checked-body.ts";
import { failsWith, streamed } from "./contract.fixture.ts";
import { partBytesFor } from "./s3-multipart.ts";
import { PART_BYTES, type S3Server, s3Servers, withBucket } from "./s3-servers.fixture.ts";
import { openS3Store } from "./s3-store.ts";

const content = (fill: number): Uint8Array => new Uint8Array(2 * PART_BYTES + 1000).fill(fill);

test("parts are of the size wanted, and never more than the 10,000 that S3 takes", () => {
  assert.equal(partBytesFor(2 ** 30, PART_BYTES), PART_BYTES);
  for (const size of [2 ** 40, 5 * 2 ** 40, 5 * 2 ** 40 - 1]) {
    const partBytes = partBytesFor(size, PART_BYTES);
    assert.ok(Math.ceil(size / partBytes) <= 10_000, `${size}`);
    assert.ok(partBytes <= 5 * 2 ** 30, "a part is one PUT");
  }
});

const registerTests = (server: S3Server): void => {
  const { name, options } = server;
  const client = withBucket(server);
  const unfinished = async (key: string) =>
    (await client.listIncompleteUploadsQuery(options.bucket, key, "", "", "")).uploads.length;
  const open = async (t: TestContext) => {
    const store = await openS3Store(options);
    t.after(() => store.close());
    return store;
  };

  test(`${name}: an upload that is under way shows nothing, and one whose stream breaks is aborted`, async (t) => {
    const store = await open(t);
    const body = content(1);
    const broken = new Error("the sender hung up");
    async function* failing() {
      yield body.subarray(0, 2 * PART_BYTES);
      // The first part has been sent when the next bytes are asked for: the last ones of a stream are held back.
      yield body.subarray(2 * PART_BYTES, 2 * PART_BYTES + 1);
      assert.equal(await unfinished("broken"), 1);
      assert.equal(await store.head("broken"), undefined);
      throw broken;
    }
    const stream = Readable.from(failing(), { objectMode: false });
    const put = store.put("broken", { stream, size: body.length, sha256: sha256Hex(body) });
    await assert.rejects(put, (error) => error === broken);
    assert.equal(await store.head("broken"), undefined);
    assert.equal(await unfinished("broken"), 0);
  });

  test(`${name}: an upload of other bytes than were announced is aborted`, async (t) => {
    const store = await open(t);
    const put = store.put("other", { ...streamed(content(1)), sha256: sha256Hex(content(2)) });
    await assert.rejects(put, failsWith("OBJECT_BODY_MISMATCH"));
    assert.equal(await unfinished("other"), 0);
  });

  test(`${name}: of two writers that both saw no object, one wins when it completes and the other's upload is aborted`, async (t) => {
    const store = await open(t);
    let both: () => void;
    const together = new Promise<void>((resolve) => {
      both = resolve;
    });
    let writers = 0;
    const put = (fill: number) => {
      const body = content(fill);
      // No writer sends before both have asked whether there is an object.
      async function* waiting() {
        writers += 1;
        if (writers === 2) both();
        await together;
        yield body;
      }
      const stream = Readable.from(waiting(), { objectMode: false });
      return store.put("race", { stream, size: body.length, sha256: sha256Hex(body) }, { ifAbsent: true });
    };
    const etags = await Promise.all([put(1), put(2)]);
    const won = etags.filter((etag) => etag !== undefined);
    assert.equal(won.length, 1);
    assert.match(won[0] ?? "", /-3$/, "put in three parts, as S3's ETags tell");
    assert.equal((await store.get("race"))[0], etags[0] === undefined ? 2 : 1);
    assert.equal(await unfinished("race"), 0);
  });
};

/** Starts a way to the server on which completing an upload replaces the object whatever the condition. */
const startIgnorant = async (t: TestContext, { options }: S3Server, client: Client): Promise<string> => {
  const { hostname, port } = new URL(options.endpoint);
  const proxy = http.createServer(async (request, response) => {
    const { method, url = "", headers } = request;
    const { pathname, searchParams } = new URL(url, options.endpoint);
    if (method === "POST" && searchParams.has("uploadId") && headers["if-none-match"] !== undefined) {
      await client.removeObject(options.bucket, pathname.slice(options.bucket.length + 2));
    }
    const onward = http.request({ hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  t.after(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
};

const registerIgnorantTests = (server: S3Server): void => {
  const client = withBucket(server);
  test("a server that checks no condition when an upload is completed still lets one of 5 racers win", async (t) => {
    const store = await openS3Store({ ...server.options, endpoint: await startIgnorant(t, server, client) });
    t.after(() => store.close());
    const etags = await Promise.all([1, 2, 3, 4, 5].map((fill) => store.put("k", content(fill), { ifAbsent: true })));
    assert.equal(etags.filter((etag) => etag !== undefined).length, 1);
    const winner = etags.findIndex((etag) => etag !== undefined) + 1;
    assert.deepEqual(await store.get("k"), content(winner));
    const keys: string[] = [];
    for await (const { key } of store.list("")) keys.push(key);
    assert.deepEqual(keys, ["k"], "the probe is gone");
  });
};

const servers = s3Servers(process.env);
for (const server of servers) describe(`uploads to ${server.name}`, () => registerTests(server));
const [plain] = s3Servers(process.env).filter(({ options }) => options.endpoint.startsWith("http:"));
if (plain) describe("uploads past an ignorant server", () => registerIgnorantTests(plain));
