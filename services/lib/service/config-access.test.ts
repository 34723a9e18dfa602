/** @file TLS, logins and keys: from the environment or from files, and everything that is wrong with them at once. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { rootCertificates } from "node:tls";
import { fileURLToPath } from "node:url";
import { DomainError } from "../errors.ts";
import { readConfig } from "./config.ts";

const KAFKA = { KAFKA_BROKERS: "broker:9093" };
const S3 = { S3_ENDPOINT: "https://s3.example" };
const S3_KEYS = { S3_ACCESS_KEY: "key", S3_SECRET_KEY: "secret" };
const LOGIN = { KAFKA_SASL_MECHANISM: "SCRAM-SHA-512", KAFKA_USERNAME: "radhical", KAFKA_PASSWORD: "open sesame" };

const files = async (t: TestContext, contents: Readonly<Record<string, string>>) => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-config-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(contents)) await writeFile(join(folder, name), content);
  return (name: string) => join(folder, name);
};

/** Returns the path of a file with a certificate. */
const certificate = async (t: TestContext): Promise<string> => {
  const at = await files(t, { "ca.crt": rootCertificates[0] ?? "" });
  return at("ca.crt");
};

/** Returns the problems that the settings are refused for. */
const problemsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
  try {
    readConfig(env);
  } catch (thrown) {
    assert.ok(thrown instanceof DomainError && thrown.reason === "CONFIG_INVALID");
    return thrown.message.replace(/^[^:]*: /, "").split(/; (?=[A-Z_0-9]+: )/);
  }
  return [];
};

test("without settings Kafka is plain and S3 is addressed by path", () => {
  const { queue, objects } = readConfig({ ...KAFKA, ...S3, ...S3_KEYS });
  assert.ok(queue.kind === "kafka" && objects.kind === "s3");
  assert.deepEqual([queue.tls, queue.login], [undefined, undefined]);
  assert.deepEqual([objects.pathStyle, objects.ca], [true, undefined]);
});

test("TLS, a login and an authority's certificate reach the adapters", async (t) => {
  const path = await certificate(t);
  const ca = await readFile(path, "utf8");
  const tls = { KAFKA_TLS: "true", KAFKA_CA_FILE: path, S3_CA_FILE: path, S3_PATH_STYLE: "false" };
  const { queue, objects } = readConfig({ ...KAFKA, ...LOGIN, ...S3, ...S3_KEYS, ...tls });
  const login = { mechanism: "SCRAM-SHA-512", username: "radhical", password: "open sesame" };
  assert.ok(queue.kind === "kafka" && objects.kind === "s3");
  assert.deepEqual([queue.tls, queue.login], [{ ca }, login]);
  assert.deepEqual([objects.ca, objects.pathStyle], [ca, false]);
  const systems = readConfig({ ...KAFKA, KAFKA_TLS: "true" }).queue;
  assert.ok(systems.kind === "kafka");
  assert.deepEqual(systems.tls, { ca: undefined });
});

test("secrets come from files, too, without the newline that an editor puts at the end", async (t) => {
  const at = await files(t, { password: "p w\n", key: "k", secret: "s\r\n" });
  const { KAFKA_PASSWORD: _, ...login } = LOGIN;
  const secrets = {
    KAFKA_PASSWORD_FILE: at("password"),
    S3_ACCESS_KEY_FILE: at("key"),
    S3_SECRET_KEY_FILE: at("secret"),
  };
  const { queue, objects } = readConfig({ ...KAFKA, ...login, ...S3, ...secrets });
  assert.ok(queue.kind === "kafka" && objects.kind === "s3");
  assert.deepEqual([queue.login?.password, objects.accessKey, objects.secretKey], ["p w", "k", "s"]);
});

test("every file that cannot be used is named at once, with why, beside what else is wrong", async (t) => {
  const at = await files(t, { empty: "\n", text: "no certificate" });
  const problems = problemsOf({
    ...KAFKA,
    ...S3,
    KAFKA_TLS: "true",
    KAFKA_CA_FILE: at("none"),
    KAFKA_SASL_MECHANISM: "SCRAM-SHA-1",
    KAFKA_USERNAME: "radhical",
    KAFKA_PASSWORD_FILE: at("empty"),
    S3_CA_FILE: at("text"),
    S3_ACCESS_KEY_FILE: at(""),
    S3_PATH_STYLE: "no",
  });
  const found = Object.fromEntries(problems.map((problem) => problem.split(/: (.*)/s).slice(0, 2)));
  assert.deepEqual(Object.keys(found).sort(), [
    "KAFKA_CA_FILE",
    "KAFKA_PASSWORD_FILE",
    "KAFKA_SASL_MECHANISM",
    "S3_ACCESS_KEY_FILE",
    "S3_CA_FILE",
    "S3_PATH_STYLE",
    "S3_SECRET_KEY",
  ]);
  assert.match(found.KAFKA_CA_FILE, /none" cannot be read \(ENOENT\)/);
  assert.match(found.KAFKA_PASSWORD_FILE, /empty" is empty/);
  assert.match(found.KAFKA_SASL_MECHANISM, /PLAIN.*SCRAM-SHA-256.*SCRAM-SHA-512/);
  assert.match(found.S3_ACCESS_KEY_FILE, /cannot be read \(EISDIR\)/);
  assert.match(found.S3_CA_FILE, /text" holds no certificate in PEM form/);
});

for (const [what, env, named] of [
  [
    "a secret given twice",
    { ...KAFKA, ...LOGIN, KAFKA_PASSWORD_FILE: fileURLToPath(import.meta.url) },
    ["KAFKA_PASSWORD_FILE"],
  ],
  ["a login without a user", { ...KAFKA, ...LOGIN, KAFKA_USERNAME: "" }, ["KAFKA_USERNAME"]],
  ["a login without a password", { ...KAFKA, ...LOGIN, KAFKA_PASSWORD: "" }, ["KAFKA_PASSWORD"]],
  ["a user without a way to log in", { ...KAFKA, ...LOGIN, KAFKA_SASL_MECHANISM: "" }, ["KAFKA_SASL_MECHANISM"]],
  ["S3 without keys", S3, ["S3_ACCESS_KEY", "S3_SECRET_KEY"]],
] as const) {
  test(`${what} is refused by name`, () => {
    assert.deepEqual(
      problemsOf(env).map((problem) => problem.replace(/:.*/s, "")),
      named,
    );
  });
}

test("an authority's certificate where nothing would check it is refused by name", async (t) => {
  const path = await certificate(t);
  const env = { ...KAFKA, KAFKA_CA_FILE: path, ...S3_KEYS, S3_ENDPOINT: "http://s3.example", S3_CA_FILE: path };
  const problems = problemsOf(env);
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? "", /^KAFKA_TLS: must be true for KAFKA_CA_FILE/);
  assert.match(problems[1] ?? "", /^S3_ENDPOINT: must begin with https: for S3_CA_FILE/);
});

test("no secret is told in a refusal", async (t) => {
  const at = await files(t, { password: "hunter2" });
  const env = { ...KAFKA, ...S3, ...S3_KEYS, KAFKA_PASSWORD_FILE: at("password"), S3_SECRET_KEY: "hunter3" };
  const told = problemsOf({ ...env, S3_SECRET_KEY_FILE: at("password") }).join();
  assert.match(told, /S3_SECRET_KEY_FILE/);
  assert.ok(!/hunter/.test(told));
});
