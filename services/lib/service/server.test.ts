/** @file Server and client over real gRPC: authentication, failures there and back, limits, health, an end. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HealthDefinition } from "nice-grpc-server-health";
import { DomainError } from "../errors.ts";
import { JobsServiceDefinition, type JobsServiceImplementation } from "../proto/radhical/v1/jobs.ts";
import { connect } from "./client.ts";
import { createLogger } from "./log.ts";
import { startServer } from "./server.ts";

const TOKEN = "0123456789abcdef";
const log = createLogger("test", "silent");
const KINDS = [
  "invalidArgument",
  "notFound",
  "alreadyExists",
  "failedPrecondition",
  "unauthenticated",
  "resourceExhausted",
  "dataLoss",
  "unavailable",
] as const;

const failing = (thrown: unknown): JobsServiceImplementation => {
  const fail = (): never => {
    throw thrown;
  };
  return {
    getJob: async () => fail(),
    listJobs: async () => ({ jobs: [] }),
    listDeadLetters: async () => ({ deadLetters: [], hasMore: false }),
    replayJob: () => Promise.reject(new Error("unused")),
    cancelJob: async () => fail(),
    watchJob: async function* () {
      yield {};
      fail();
    },
  };
};

async function start(t: TestContext, jobs: JobsServiceImplementation, token?: string) {
  const add: Parameters<typeof startServer>[0]["add"] = (server) => server.add(JobsServiceDefinition, jobs);
  const server = await startServer({ host: "127.0.0.1", port: 0, token, log, add });
  t.after(() => server.stop());
  return {
    server,
    client: (given: string | undefined) => {
      const connection = connect(server.address, given);
      t.after(() => connection.close());
      return { jobs: connection.client(JobsServiceDefinition), health: connection.client(HealthDefinition) };
    },
  };
}

for (const kind of KINDS) {
  test(`a failure "${kind}" reaches the caller with its reason, message and info`, async (t) => {
    const thrown = new DomainError(kind, "SOME_REASON", 'Cannot find "ü"', { info: { topic: "x" } });
    const { client } = await start(t, failing(thrown));
    const { jobs } = client(undefined);
    const expected = {
      name: "DomainError",
      kind,
      reason: "SOME_REASON",
      message: 'Cannot find "ü"',
      info: { topic: "x" },
    };
    await assert.rejects(jobs.getJob({ jobId: "" }), expected);
    await assert.rejects(async () => {
      for await (const _ of jobs.watchJob({ jobId: "" }));
    }, expected);
  });
}

test("a failure with a long message is shortened, for one as long as it is would hang all calls of the connection", async (t) => {
  const long = `Cannot find "${"x".repeat(200_000)}"`;
  const { client } = await start(t, failing(new DomainError("notFound", "GONE", long, { info: { id: long } })));
  const { jobs } = client(undefined);
  await assert.rejects(jobs.getJob({ jobId: "" }), (thrown: unknown) => {
    assert.ok(thrown instanceof DomainError && thrown.reason === "GONE");
    for (const text of [thrown.message, thrown.info.id ?? ""]) assert.match(text, /^Cannot find "x{1000,2000}…$/);
    return true;
  });
  await jobs.listJobs({ service: "" });
});

test("calls of a machine to itself do not go through the proxy that the environment names", async (t) => {
  const { http_proxy: before } = process.env;
  t.after(() => {
    if (before === undefined) delete process.env.http_proxy;
    else process.env.http_proxy = before;
  });
  process.env.http_proxy = "http://127.0.0.1:1"; // where nothing listens
  const { client } = await start(t, failing(undefined));
  assert.deepEqual((await client(undefined).jobs.listJobs({ service: "" })).jobs, []);
});

test("a bug reaches the caller as an internal error without a word of it", async (t) => {
  const { client } = await start(t, failing(new TypeError("secret of /home/somebody")));
  await assert.rejects(client(undefined).jobs.getJob({ jobId: "" }), (error: Error) => {
    assert.match(error.message, /internal error/);
    return !error.message.includes("secret");
  });
});

test("a call without the right token is refused, a question for health is not", async (t) => {
  const { client } = await start(t, failing(new Error("not called")), TOKEN);
  for (const given of [undefined, "", "0123456789abcdeg", `${TOKEN}x`]) {
    const { jobs, health } = client(given);
    await assert.rejects(jobs.listJobs({ service: "" }), { kind: "unauthenticated", reason: "TOKEN_REQUIRED" });
    assert.equal((await health.check({ service: "" })).status, 1);
  }
  assert.deepEqual(await client(TOKEN).jobs.listJobs({ service: "" }), { jobs: [] });
});

test("a message over the limit is an expected failure", async (t) => {
  const { client } = await start(t, failing(new Error("not called")));
  const tooLong = { service: "x".repeat(17 * 2 ** 20) };
  await assert.rejects(client(undefined).jobs.listJobs(tooLong), { name: "DomainError", kind: "resourceExhausted" });
});

test("an address in use is named", async (t) => {
  const { server } = await start(t, failing(new Error("not called")));
  const port = Number(server.address.split(":")[1]);
  const second = startServer({ host: "127.0.0.1", port, token: undefined, log, add: () => undefined });
  await assert.rejects(second, { reason: "LISTEN_FAILED", message: new RegExp(`127.0.0.1:${port}`) });
});

test("a server that is gone is unavailable, and one that stops ends the calls it has", async (t) => {
  const { server, client } = await start(t, {
    ...failing(new Error("not called")),
    watchJob: async function* (_request, { signal }) {
      yield {};
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
  });
  const { jobs } = client(undefined);
  const watching = (async () => {
    for await (const _ of jobs.watchJob({ jobId: "" })) void server.stop();
  })();
  await assert.rejects(watching);
  await server.stop();
  await assert.rejects(jobs.listJobs({ service: "" }), { name: "DomainError", kind: "unavailable" });
});
