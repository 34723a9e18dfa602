import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startEmbedded } from "../embedded/embedded.ts";
import { connect } from "../lib/service/client.ts";
import { SERVICE_NAMES } from "../lib/service/service-names.ts";
import { humanOutput } from "./output.ts";
import { addressVariable, checkReachable, openServices, openServicesOf } from "./services.ts";

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-services-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const portOf = (server: { address(): unknown }): number => {
  const address = server.address();
  assert.ok(address !== null && typeof address === "object" && "port" in address);
  return Number(address.port);
};

test("an address where nothing listens is refused before any work, with what to do", async (t) => {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${portOf(server)}`;
  await new Promise((resolve) => server.close(resolve));
  await assert.rejects(openServices(address, await makeFolder(t), {}), {
    reason: "SERVICES_UNREACHABLE",
    message: new RegExp(`"${address}"; start them there with radhical serve`),
  });
});

test("a token that cannot be sent is refused before any call", async (t) => {
  await assert.rejects(openServices("127.0.0.1:1", await makeFolder(t), { RADHICAL_TOKEN: "0123456789abcdef\n" }), {
    reason: "CONFIG_INVALID",
    message: /RADHICAL_TOKEN: it must be of printable ASCII/,
  });
});

test("an address where something else answers is told apart", async (t) => {
  const server = createServer((_request, response) => void response.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  await assert.rejects(openServices(`127.0.0.1:${portOf(server)}`, await makeFolder(t), {}), {
    reason: "SERVICES_UNREACHABLE",
    message: /what answers there is not radhical/,
  });
});

test("an address where connections are taken and nothing is said is given up", async (t) => {
  const server = createTcpServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${portOf(server)}`;
  const connection = connect(address, undefined);
  t.after(() => {
    connection.close();
    server.close();
  });
  await assert.rejects(checkReachable(address, connection, "", 300), {
    reason: "SERVICES_UNREACHABLE",
    message: /takes connections there and says nothing/,
  });
});

test("running services are used with their token, and refused without", async (t) => {
  const folder = await makeFolder(t);
  const { address, token, services } = await startEmbedded(folder, {});
  t.after(() => services.stop());
  for (const env of [{}, { RADHICAL_TOKEN: `${token}x` }])
    await assert.rejects(openServices(address, folder, env), { reason: "TOKEN_WRONG", message: /set RADHICAL_TOKEN/ });
  const client = await openServices(address, folder, { RADHICAL_TOKEN: token });
  t.after(() => client.close());
  assert.deepEqual((await client.jobs("training").listJobs({ service: "training" })).jobs, []);
});

test("one service's own address overrides the common one", async (t) => {
  const folder = await makeFolder(t);
  const { address, token, services } = await startEmbedded(folder, {});
  t.after(() => services.stop());
  const env = { RADHICAL_TOKEN: token, RADHICAL_TUNING_ADDRESS: "127.0.0.1:1" };
  await assert.rejects(openServices(address, folder, env), { message: /"127\.0\.0\.1:1"/ });
});

test("addresses of all services need no common one, and an empty one is none", async (t) => {
  const folder = await makeFolder(t);
  const { address, token, services } = await startEmbedded(folder, { RADHICAL_LOG_LEVEL: "" });
  t.after(() => services.stop());
  const addresses = Object.fromEntries(SERVICE_NAMES.map((name) => [addressVariable(name), address]));
  const env = { RADHICAL_TOKEN: token, ...addresses };
  // The folder is in use, so services of this process would be refused.
  await (await openServices(undefined, folder, env)).close();
  await (await openServices(address, folder, { ...env, RADHICAL_TUNING_ADDRESS: "" })).close();
  await assert.rejects(openServices(undefined, folder, { ...env, RADHICAL_TUNING_ADDRESS: "" }), {
    reason: "FOLDER_IN_USE",
  });
  await assert.rejects(openServices(undefined, folder, env, "cpu"), { reason: "OPTIONS_INVALID" });
});

test("without an address the services run in this process and stop with the client", async (t) => {
  const folder = await makeFolder(t);
  const client = await openServices(undefined, folder, {});
  await assert.rejects(openServices(undefined, folder, {}), { reason: "FOLDER_IN_USE" });
  await client.close();
  await (await openServices(undefined, folder, {})).close();
});

test("work in this process says that it leaves the servers alone which the shell names", async (t) => {
  const lines: string[] = [];
  const output = humanOutput((line) => lines.push(line), assert.fail);
  const env = { KAFKA_BROKERS: "127.0.0.1:1", S3_ENDPOINT: "http://127.0.0.1:1", RADHICAL_TUNING_ADDRESS: "x:1" };
  for (const own of [{}, env]) await (await openServicesOf({ out: await makeFolder(t) }, output, own)).close();
  await assert.rejects(openServicesOf({ address: "127.0.0.1:1", out: "none" }, output, env));
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /without the servers in KAFKA_BROKERS and S3_ENDPOINT and RADHICAL_TUNING_ADDRESS/);
});

test("a device is not for services elsewhere", async (t) => {
  await assert.rejects(openServices("127.0.0.1:1", await makeFolder(t), {}, "cpu"), {
    reason: "OPTIONS_INVALID",
    message:
      'Cannot use --device "cpu" with --address "127.0.0.1:1": leave --device out, and set RADHICAL_DEVICE where those services are started',
  });
});

test("a named device that does not work is an error before any work, and the folder is free again", async (t) => {
  const folder = await makeFolder(t);
  const client = await openServices(undefined, folder, {}, "cuda").catch((error: unknown) => error);
  if (client instanceof Error) {
    assert.match(client.message, /^Cannot use device "cuda": /);
    await (await openServices(undefined, folder, {}, "cpu")).close();
  } else await (client as Awaited<ReturnType<typeof openServices>>).close(); // a machine with CUDA
});
