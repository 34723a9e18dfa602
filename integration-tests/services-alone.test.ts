import assert from "node:assert/strict";
import { test } from "node:test";
import { DomainError } from "../services/lib/errors.ts";
import { JobsServiceDefinition } from "../services/lib/proto/radhical/v1/jobs.ts";
import { connect } from "../services/lib/service/client.ts";
import { SERVICE_NAMES } from "../services/lib/service/service-names.ts";
import { COMMAND, serviceMain, start, temporaryFolder } from "./radhical-command.fixture.ts";
import { clientsOf, healthOf, startServing } from "./serving.fixture.ts";

for (const name of SERVICE_NAMES) {
  test(`${name} starts by itself, is healthy, lists its jobs and ends at SIGTERM`, async (t) => {
    const { address, child, ended } = await startServing(t, serviceMain(name));
    assert.match(address, /^127\.0\.0\.1:\d+$/);
    assert.equal(await healthOf(t, address)(), true);
    const services = await clientsOf(t, address);
    assert.deepEqual((await services.jobs(name).listJobs({ service: name })).jobs, []);
    child.kill("SIGTERM");
    const { code, signal, stderr } = await ended;
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
  });
}

test("serve runs one level of inference, and ends at SIGINT", async (t) => {
  const { address, child, ended } = await startServing(t, COMMAND, ["serve", "inference", "--level", "2"]);
  assert.equal(await healthOf(t, address)(), true);
  child.kill("SIGINT");
  assert.equal((await ended).code, 0);
});

test("a wrong token is refused, no token too, while health stays open", async (t) => {
  const { address } = await startServing(t, serviceMain("datasets"));
  for (const token of [undefined, "", "another token for tests"]) {
    const connection = connect(address, token);
    t.after(() => connection.close());
    await assert.rejects(connection.client(JobsServiceDefinition).listJobs({ service: "" }), (error: unknown) => {
      assert.ok(error instanceof DomainError);
      assert.deepEqual([error.kind, error.reason], ["unauthenticated", "TOKEN_REQUIRED"]);
      return true;
    });
  }
  assert.equal(await healthOf(t, address)(), true);
});

test("serve refuses an address that others could reach, unless told --insecure", async (t) => {
  const refused = await start(t, COMMAND, ["serve", "tuning"], {
    env: { RADHICAL_LISTEN: "0.0.0.0:0", RADHICAL_OBJECTS: await temporaryFolder(t) },
  }).ended;
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /INSECURE_LISTEN.*"msg":"Cannot listen on \\"0\.0\.0\.0\\" without TLS.*--insecure/);
  const { address, child, ended } = await startServing(t, COMMAND, ["serve", "tuning", "--insecure"], {
    RADHICAL_LISTEN: "0.0.0.0:0",
  });
  assert.equal(await healthOf(t, address.replace("0.0.0.0", "127.0.0.1"))(), true);
  child.kill("SIGTERM");
  assert.match((await ended).stderr, /INSECURE: listening beyond this machine without TLS/);
});

test("settings that cannot be are told all at once, before anything starts", async (t) => {
  const env = {
    RADHICAL_LISTEN: "nowhere",
    RADHICAL_TOKEN: "short",
    RADHICAL_WORKERS: "0",
    S3_ENDPOINT: "not an address",
  };
  const { code, stderr } = await start(t, serviceMain("training"), [], { env }).ended;
  assert.equal(code, 1);
  assert.match(stderr, /CONFIG_INVALID/);
  for (const name of Object.keys(env)) assert.ok(stderr.includes(`${name}: `), `${name} is not named:\n${stderr}`);
});

test("serve refuses a service or a level that does not exist and names those that do", async (t) => {
  const unknown = await start(t, COMMAND, ["serve", "gateways"]).ended;
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /Cannot serve "gateways": the services are .*inference/);
  for (const args of [
    ["serve", "inference", "--level", "9"],
    ["serve", "tuning", "--level", "1"],
    ["serve", "--level", "1"],
  ]) {
    const { code, stderr } = await start(t, COMMAND, args).ended;
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, /--level takes 1 to 8 and goes with inference/);
  }
});

test("a port that is taken is an error that names the address", async (t) => {
  const { address } = await startServing(t, serviceMain("tuning"));
  const second = await start(t, serviceMain("tuning"), [], {
    env: { RADHICAL_LISTEN: address, RADHICAL_OBJECTS: await temporaryFolder(t) },
  }).ended;
  assert.equal(second.code, 1);
  assert.ok(second.stderr.includes(`Cannot listen on ${address}`), second.stderr);
});
