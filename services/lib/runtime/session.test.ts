/** @file Where sessions are put. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSession } from "./session.ts";
import type { WorkerClient } from "./worker-client.ts";

/** A worker that does everything at once, and notes the sessions that were made on it. */
function idleWorker() {
  const made: number[] = [];
  const worker: WorkerClient = {
    version: "0",
    pending: 0,
    isAlive: true,
    died: new Promise(() => undefined),
    request: async (request) => {
      if (request.kind === "create") made.push(request.session);
      return { outputs: {}, lent: [], seconds: 0 };
    },
    stop: async () => undefined,
  };
  return { worker, made };
}

test("pinned sessions are spread over the workers, also while none of them runs anything", async () => {
  const [one, two] = [idleWorker(), idleWorker()];
  const workers = [one.worker, two.worker];
  const pin = (id: number) =>
    createSession({ id, model: new Uint8Array(), pinned: true, provider: "cpu", workers, checkOpen: () => undefined });
  const first = await pin(1);
  await pin(2);
  assert.deepEqual([one.made, two.made], [[1], [2]]);
  await first.release();
  await first.release();
  await pin(3);
  await pin(4);
  assert.deepEqual([one.made, two.made], [[1, 3, 4], [2]]);
});
