/**
 * @file A deployment behind TLS and logins, on the servers that RADHICAL_TEST_… name: what `radhical provision`, `serve` and `doctor` make
 * of its settings.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { provisionDeployment } from "./deployment.fixture.ts";
import { COMMAND, radhical, start, temporaryFolder } from "./radhical-command.fixture.ts";
import { startServing } from "./serving.fixture.ts";

const {
  RADHICAL_TEST_CA_FILE: caFile,
  RADHICAL_TEST_KAFKA_TLS_BROKERS: brokers,
  RADHICAL_TEST_KAFKA_USERNAME: username,
  RADHICAL_TEST_KAFKA_PASSWORD: password,
  RADHICAL_TEST_S3_TLS_ENDPOINT: endpoint,
  RADHICAL_TEST_S3_TLS_ACCESS_KEY: accessKey,
  RADHICAL_TEST_S3_TLS_SECRET_KEY: secretKey,
  S3_REGION: region = "us-east-1",
} = process.env;

/** Returns how a service ends that cannot start. */
const refusal = async (t: TestContext, env: Readonly<Record<string, string>>): Promise<string> => {
  const { code, stderr } = await start(t, COMMAND, ["serve", "tuning"], { env, cwd: await temporaryFolder(t) }).ended;
  assert.equal(code, 1);
  return stderr;
};

if (caFile && brokers && username && password && endpoint && accessKey && secretKey) {
  test("a deployment behind TLS and a login is provisioned, served and found well, and refusals name the setting", async (t) => {
    const server = { brokers, endpoint, region, accessKey, secretKey, ca: await readFile(caFile, "utf8") };
    const { env } = await provisionDeployment(t, server, {
      KAFKA_TLS: "true",
      KAFKA_CA_FILE: caFile,
      KAFKA_SASL_MECHANISM: "SCRAM-SHA-512",
      KAFKA_USERNAME: username,
      KAFKA_PASSWORD: password,
      S3_CA_FILE: caFile,
      RADHICAL_LISTEN: "127.0.0.1:0",
    });
    const doctor = await radhical(t, ["doctor", "--json"], { env });
    assert.equal(doctor.code, 0, doctor.stdout);
    assert.match(doctor.stdout, /objects: s3, queue: kafka/);
    const { child, ended } = await startServing(t, COMMAND, ["serve", "tuning"], env);
    child.kill("SIGTERM");
    assert.equal((await ended).code, 0);

    assert.match(await refusal(t, { ...env, KAFKA_PASSWORD: "not the password" }), /QUEUE_DENIED.*KAFKA_PASSWORD/);
    const { S3_CA_FILE: _, ...untrusting } = env;
    assert.match(await refusal(t, untrusting), /OBJECT_STORE_UNTRUSTED.*S3_CA_FILE/);
    const none = join(await temporaryFolder(t), "none");
    const missing = await refusal(t, { ...env, KAFKA_CA_FILE: none, S3_CA_FILE: none, S3_PATH_STYLE: "maybe" });
    assert.match(missing, /CONFIG_INVALID.*KAFKA_CA_FILE.*S3_CA_FILE.*S3_PATH_STYLE/);
  });
}
