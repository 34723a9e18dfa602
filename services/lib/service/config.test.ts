/** @file Settings: read whole, refused whole. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "./config.ts";

const refusal = (env: Record<string, string>): string => {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof Error) return error.message;
  }
  return "";
};

test("without settings a service is for this machine alone", () => {
  const { listen, token, objects, queue, logLevel } = readConfig({});
  assert.deepEqual(listen, { host: "127.0.0.1", port: 50_051 });
  assert.deepEqual([token, logLevel], [undefined, "info"]);
  assert.deepEqual([objects, queue], [{ kind: "folder", folder: ".radhical" }, { kind: "in-process" }]);
});

test("how long a process may take to stop, and work to say nothing, are settings", () => {
  const { graceMs, stallMs } = readConfig({});
  assert.deepEqual([graceMs, stallMs], [30_000, 300_000]);
  const set = readConfig({ RADHICAL_GRACE_MS: "1", RADHICAL_STALL_MS: "1000" });
  assert.deepEqual([set.graceMs, set.stallMs], [1, 1_000]);
  assert.match(refusal({ RADHICAL_STALL_MS: "999", RADHICAL_GRACE_MS: "0" }), /RADHICAL_GRACE_MS.*RADHICAL_STALL_MS/);
});

test("a token that no header can carry is refused, and so is a number that is none or that no timer can wait", () => {
  for (const token of ["0123456789abcdef\n", " 0123456789abcdef", "0123456789\u00fcabcdef", "0123456789abcdef\u00fc"])
    assert.match(refusal({ RADHICAL_TOKEN: token }), /RADHICAL_TOKEN: must be of printable ASCII characters/);
  for (const [name, value, range] of [
    ["RADHICAL_GRACE_MS", "99999999999", "from 1 to 2147483647"],
    ["RADHICAL_STALL_MS", "99999999999", "from 1000 to 2147483647"],
    ["RADHICAL_WORKERS", "1000000000", "from 1 to 1024"],
    ["RADHICAL_WORKERS", " ", "from 1 to 1024"],
    ["RADHICAL_WORKERS", "two", "from 1 to 1024"],
  ] as const)
    assert.match(refusal({ [name]: value }), new RegExp(`${name}: must be a whole number ${range}`));
});

test("an empty variable counts as unset", () => {
  assert.deepEqual(
    readConfig({ RADHICAL_TOKEN: "", KAFKA_BROKERS: "", S3_ENDPOINT: "", RADHICAL_LISTEN: "" }),
    readConfig({}),
  );
});

test("addresses of Kafka and S3 choose the adapters", () => {
  const env = {
    KAFKA_BROKERS: "a:9092, b:9092",
    S3_ENDPOINT: "http://s3:9000",
    S3_ACCESS_KEY: "who",
    S3_SECRET_KEY: "what",
  };
  const { objects, queue } = readConfig(env);
  assert.deepEqual(queue, {
    kind: "kafka",
    brokers: ["a:9092", "b:9092"],
    prefix: "radhical",
    partitions: 12,
    replication: undefined,
    sessionTimeoutMs: 30_000,
  });
  const s3 = {
    endpoint: "http://s3:9000",
    region: "us-east-1",
    bucket: "radhical",
    accessKey: "who",
    secretKey: "what",
    ca: undefined,
    pathStyle: true,
  };
  assert.deepEqual(objects, { kind: "s3", ...s3 });
});

test("every wrong setting is named at once, with what is wrong", () => {
  const message = refusal({
    RADHICAL_LISTEN: "here",
    RADHICAL_TOKEN: "short",
    RADHICAL_WORKERS: "0",
    S3_ENDPOINT: "s3",
  });
  for (const part of [
    "RADHICAL_LISTEN",
    "host:port",
    "RADHICAL_TOKEN",
    "16 characters",
    "RADHICAL_WORKERS",
    "S3_ENDPOINT",
  ])
    assert.ok(message.includes(part), `${part} in ${message}`);
});

test("a port or a broker that cannot be is refused by name", () => {
  assert.match(refusal({ RADHICAL_LISTEN: "127.0.0.1:70000" }), /RADHICAL_LISTEN: must name a port of at most 65535/);
  assert.match(refusal({ KAFKA_BROKERS: "a:9092," }), /KAFKA_BROKERS: must be "host:port/);
});

test("a prefix that no topic can have, and a session timeout that no broker allows, are refused by name", () => {
  assert.match(refusal({ KAFKA_PREFIX: "a/b" }), /KAFKA_PREFIX: must be 1 to 100 of/);
  assert.match(refusal({ KAFKA_SESSION_TIMEOUT_MS: "5999" }), /KAFKA_SESSION_TIMEOUT_MS/);
});

test("the secret of a refused configuration is not told", () => {
  assert.ok(!refusal({ RADHICAL_TOKEN: "hunter2", RADHICAL_WORKERS: "x" }).includes("hunter2"));
});
