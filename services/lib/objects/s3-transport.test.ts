import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { impatientTransport } from "./s3-transport.ts";

const TIMEOUT_MS = 150;
const BODY_BYTES = 8 * 2 ** 20;

const startServer = async (t: TestContext, handle: http.RequestListener): Promise<number> => {
  const server = http.createServer(handle).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return address.port;
};

const send = (port: number, method = "GET") => {
  const request = impatientTransport(http, TIMEOUT_MS).request({ host: "127.0.0.1", port, method }, () => {});
  // A client listens for errors of the request as long as the answer is under way; so does minio-js.
  request.on("error", () => {});
  const response = once(request, "response").then(([incoming]) => incoming as http.IncomingMessage);
  return { request, response };
};

test("fails when the server stops in the middle of its answer", async (t) => {
  const port = await startServer(t, (_, response) => {
    response.writeHead(200, { "content-length": 1000 }).write("half");
  });
  const { request, response } = send(port);
  request.end();
  await assert.rejects(buffer(await response), /within 150 ms/);
});

test("fails when the server takes no more of a body", async (t) => {
  const port = await startServer(t, (request) => request.pause());
  const { request, response } = send(port, "PUT");
  request.end(new Uint8Array(4 * BODY_BYTES));
  await assert.rejects(response, /within 150 ms/);
});

test("waits for a reader that is slower than the limit, and goes on watching the server", async (t) => {
  const port = await startServer(t, (_, response) => response.end(new Uint8Array(BODY_BYTES)));
  const { request, response } = send(port);
  request.end();
  const body = await response;
  await sleep(4 * TIMEOUT_MS);
  assert.equal((await buffer(body)).length, BODY_BYTES);
});

test("waits for a sender that is slower than the limit", async (t) => {
  const port = await startServer(t, async (request, response) => {
    response.end(`${(await buffer(request)).length}`);
  });
  const { request, response } = send(port, "PUT");
  async function* slow() {
    yield new Uint8Array(1000);
    await sleep(4 * TIMEOUT_MS);
    yield new Uint8Array(1000);
  }
  await pipeline(Readable.from(slow(), { objectMode: false }), request);
  assert.equal((await buffer(await response)).toString(), "2000");
});
