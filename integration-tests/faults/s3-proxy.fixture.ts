/** @file A way to an S3 server that can fail: HTTP that is passed on, answered with 503, never answered, or cut off before the answer. */
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { TestContext } from "node:test";

/**
 * pass: as if there were no proxy. busy: 503 without asking the server. silent: taken, but neither passed on nor ever answered.
 * cut: the server does what it is asked, and whoever asked never hears of it.
 */
export type Weather = "pass" | "busy" | "silent" | "cut";

/** A way to the server. */
export interface S3Proxy {
  /** "http://host:port". */
  readonly endpoint: string;
  weather: Weather;
  /** Requests that met each weather. */
  readonly met: Readonly<Record<Weather, number>>;
}

const SLOW_DOWN =
  '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate</Message></Error>';

/** Starts a proxy before an S3 server; it ends with the test. Requests are signed for its address, and the server checks that. */
export async function startS3Proxy(t: TestContext, endpoint: string): Promise<S3Proxy> {
  const { hostname, port } = new URL(endpoint);
  const met = { pass: 0, busy: 0, silent: 0, cut: 0 };
  const passOn = (asked: IncomingMessage, answer: ServerResponse, isCut: boolean): void => {
    const { method, url: path, headers } = asked;
    const passed = request({ hostname, port, method, path, headers }, (response) => {
      if (isCut) {
        response.resume().on("end", () => answer.destroy());
        return;
      }
      answer.writeHead(response.statusCode ?? 502, response.rawHeaders);
      response.pipe(answer);
      response.on("error", () => answer.destroy());
    });
    // A server that dies is heard of as it would be without a proxy.
    passed.on("error", () => answer.destroy());
    asked.pipe(passed);
    asked.on("error", () => passed.destroy());
  };
  const server = createServer((asked, answer) => {
    met[proxy.weather] += 1;
    switch (proxy.weather) {
      case "pass":
        return passOn(asked, answer, false);
      case "cut":
        return passOn(asked, answer, true);
      case "busy":
        asked.resume();
        answer.writeHead(503, { "content-type": "application/xml" }).end(SLOW_DOWN);
        return;
      case "silent":
        asked.resume();
        return;
      default: {
        const unreachable: never = proxy.weather;
        return unreachable;
      }
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const proxy: S3Proxy = { endpoint: `http://127.0.0.1:${address.port}`, weather: "pass", met };
  return proxy;
}
