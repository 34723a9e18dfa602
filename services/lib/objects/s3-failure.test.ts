import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import { openS3Store } from "./s3-store.ts";

const options = { region: "us-east-1", accessKey: "key", secretKey: "secret", bucket: "bucket" };
const isFailure = (reason: string, kind: string) => (error: unknown) =>
  error instanceof DomainError && error.reason === reason && error.kind === kind && error.cause !== undefined;
const isUnavailable = isFailure("OBJECT_STORE_UNAVAILABLE", "unavailable");

/** A TCP port at which something is wrong: `onConnection` says what. */
const startBroken = async (t: TestContext, onConnection: (socket: Socket) => void): Promise<string> => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
};

test("nobody at the port is unavailable, with the cause", async (t) => {
  const endpoint = await startBroken(t, () => {});
  const port = Number(new URL(endpoint).port);
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const address = free.address();
  assert.ok(address && typeof address === "object" && address.port !== port);
  await new Promise((resolve) => free.close(resolve));
  await assert.rejects(openS3Store({ ...options, endpoint: `http://127.0.0.1:${address.port}` }), isUnavailable);
});

test("a server that never answers is unavailable once the time is up", async (t) => {
  const endpoint = await startBroken(t, () => {});
  await assert.rejects(openS3Store({ ...options, endpoint, timeoutMs: 100 }), isUnavailable);
});

test("a server that hangs up is unavailable", async (t) => {
  const endpoint = await startBroken(t, (socket) => socket.destroy());
  await assert.rejects(openS3Store({ ...options, endpoint }), isUnavailable);
});

test("a server or proxy in trouble is unavailable", async (t) => {
  for (const status of ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable"]) {
    const endpoint = await startBroken(t, (socket) => socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`));
    await assert.rejects(openS3Store({ ...options, endpoint }), isUnavailable, status);
  }
});

test("an endpoint that is no plain address is refused", async () => {
  for (const endpoint of ["", "localhost:9000", "ftp://host", "http://host/path", "http://user@host", "http://-bad"]) {
    const isRefusal = (error: unknown) => error instanceof DomainError && error.reason === "S3_ENDPOINT_INVALID";
    await assert.rejects(openS3Store({ ...options, endpoint }), isRefusal, endpoint);
  }
});
