/** @file The way to an https endpoint: whom it trusts, and where the bucket's name goes. */
import assert from "node:assert/strict";
import dns from "node:dns";
import { describe, type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import { bytes, keysOf, text } from "./contract.fixture.ts";
import { PART_BYTES, type S3Server, s3Servers, withBucket } from "./s3-servers.fixture.ts";
import { openS3Store } from "./s3-store.ts";

const isFailure = (reason: string, kind: string, words: RegExp) => (error: unknown) =>
  error instanceof DomainError && error.reason === reason && error.kind === kind && words.test(error.message);

const registerTests = (server: S3Server): void => {
  const { options } = server;
  withBucket(server);

  test("a certificate of an unknown authority is not trusted, and the failure names the setting", async () => {
    const isUntrusted = isFailure("OBJECT_STORE_UNTRUSTED", "failedPrecondition", /S3_CA_FILE/);
    await assert.rejects(openS3Store({ ...options, ca: undefined }), isUntrusted);
  });

  test("a certificate for another host is not trusted", async (t) => {
    answerNames(t);
    const endpoint = options.endpoint.replace("127.0.0.1", "elsewhere.example");
    const isUntrusted = isFailure("OBJECT_STORE_UNTRUSTED", "failedPrecondition", /ERR_TLS_CERT_ALTNAME_INVALID/);
    await assert.rejects(openS3Store({ ...options, endpoint }), isUntrusted);
  });

  test("http to an https endpoint is no store", async () => {
    const endpoint = options.endpoint.replace("https:", "http:");
    const isUnavailable = isFailure("OBJECT_STORE_UNAVAILABLE", "unavailable", /S3_ENDPOINT/);
    await assert.rejects(openS3Store({ ...options, endpoint }), isUnavailable);
  });

  test("without path style the bucket goes in front of the host name", async (t) => {
    const asked = answerNames(t);
    // `deploy/local/up` starts the server for this domain, and its certificate holds every name below it.
    const endpoint = options.endpoint.replace("127.0.0.1", "s3.localhost");
    const store = await openS3Store({ ...options, endpoint, pathStyle: false });
    t.after(() => store.close());
    const etag = await store.put("a/b", bytes("x"), { ifAbsent: true });
    assert.equal(await store.put("a/b", bytes("y"), { ifAbsent: true }), undefined);
    assert.deepEqual(await store.head("a/b"), { key: "a/b", size: 1, etag });
    assert.deepEqual(await keysOf(store, "a"), ["a/b"]);
    const large = new Uint8Array(PART_BYTES + 1);
    await store.put("large", large, { ifAbsent: true });
    assert.deepEqual([...asked], [`${options.bucket}.s3.localhost`]);
    const byPath = await openS3Store(options);
    t.after(() => byPath.close());
    assert.equal(text(await byPath.get("a/b")), "x");
    assert.deepEqual(await byPath.get("large"), large);
  });
};

/** From now on every host name is this machine's, until the test ends. Returns the names asked for. */
const answerNames = (t: TestContext): ReadonlySet<string> => {
  const asked = new Set<string>();
  const { lookup } = dns;
  t.mock.method(dns, "lookup", (name: string, ...rest: unknown[]) => {
    asked.add(name);
    return Reflect.apply(lookup, dns, ["127.0.0.1", ...rest]);
  });
  return asked;
};

const [server] = s3Servers(process.env).filter(({ options }) => options.endpoint.startsWith("https:"));
if (server) describe("objects by https", () => registerTests(server));
