import assert from "node:assert/strict";
import { test } from "node:test";
import { startWorker } from "./worker-client.ts";

/** A worker that says it is ready and then does `onMessage`. */
const script = (onMessage: string) =>
  new URL(
    `data:text/javascript,${encodeURIComponent(`
      import { parentPort } from "node:worker_threads";
      parentPort.on("message", () => { ${onMessage} });
      parentPort.postMessage({ kind: "ready", version: "0" });`)}`,
  );
const settings = { threads: 1, provider: "cpu" } as const;
const died = { name: "DomainError", kind: "unavailable", reason: "RUNTIME_WORKER_DIED" };

test("rejects everything pending when the worker dies, and everything asked afterwards", async () => {
  for (const death of ['throw new Error("out of memory")', "process.exit(3)"]) {
    const worker = await startWorker(settings, script(death));
    const pending = [1, 2].map((session) => worker.request({ kind: "release", session }));
    for (const request of pending) await assert.rejects(request, died);
    assert.equal(worker.isAlive, false);
    assert.equal(worker.pending, 0);
    assert.equal((await worker.died).reason, "RUNTIME_WORKER_DIED");
    await assert.rejects(worker.request({ kind: "release", session: 1 }), died);
    await worker.stop();
  }
});

test("quotes what killed the worker", async () => {
  const worker = await startWorker(settings, script('throw new Error("out of memory")'));
  await assert.rejects(worker.request({ kind: "release", session: 1 }), /the worker ended: out of memory/);
  await worker.stop();
});

test("fails to start a worker whose script cannot be loaded", async () => {
  await assert.rejects(startWorker(settings, new URL("./no-such-script.js", import.meta.url)), died);
});
