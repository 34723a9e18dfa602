/** @file Contract: attempts survive the death of the worker. Real processes, really aborted. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { message, type QueueHarness, unique } from "./harness.fixture.ts";
import { DEAD_LETTER_HEADERS } from "./queue.ts";
import type { DeathOrder, DeathReport } from "./queue-death.child.ts";

const CHILD = fileURLToPath(new URL("./queue-death.child.js", import.meta.url));

/** Registers the tests for an adapter; part of `queueContract`. */
export function deathContract(harness: QueueHarness): void {
  test("makes a message whose worker died three times a dead letter unseen, and goes on with the next", async (t) => {
    const start = await prepare(harness, t);
    for (let death = 1; death <= 3; death++) {
      assert.deepEqual(await start({ mode: "abort" }), {
        signal: "SIGABRT",
        reports: [{ started: "bad", attempt: death }],
      });
    }
    const { signal, reports } = await start({ mode: "abort", awaitDeadLetter: true });
    assert.equal(signal, null);
    const letter = reports.find((report) => "deadLetter" in report)?.deadLetter;
    assert.equal(letter?.[DEAD_LETTER_HEADERS.error], "worker died 3 times");
    assert.equal(letter?.[DEAD_LETTER_HEADERS.attempts], "3");
    assert.equal(letter?.job, "job-1");
    assert.deepEqual(
      reports.filter((report) => "started" in report),
      [{ started: "good", attempt: 1 }],
    );
  });

  test("never holds a death after saved progress against the message", async (t) => {
    const start = await prepare(harness, t);
    for (let death = 1; death <= 5; death++) {
      const expected = { signal: "SIGABRT", reports: [{ started: "bad", attempt: 1 }] };
      assert.deepEqual(await start({ mode: "save and abort" }), expected);
    }
    const { signal, reports } = await start({ mode: "return" });
    assert.equal(signal, null);
    assert.deepEqual(reports, [
      { started: "bad", attempt: 1 },
      { started: "good", attempt: 1 },
    ]);
  });
}

/** Returns a function that starts a worker on a bad and a good message and returns how it ended and what it said. */
async function prepare(harness: QueueHarness, t: TestContext) {
  const place = await harness.place(t);
  const topic = unique("contract");
  const group = unique("group");
  const messages = [message("a", "bad", { job: "job-1" }), message("a", "good", { job: "job-1" })];
  if (harness.adapter === "kafka") {
    const queue = await harness.open(t);
    await harness.provision([topic]);
    await queue.requireTopics([topic]);
    await queue.publish(topic, messages);
  }
  return async (order: Pick<DeathOrder, "mode" | "awaitDeadLetter">) => {
    const full: DeathOrder = { adapter: harness.adapter, place, topic, group, ...order };
    const child = spawn(process.execPath, ["--enable-source-maps", CHILD, JSON.stringify(full)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    t.after(() => child.kill("SIGKILL"));
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    if (code) throw new Error(`the worker exited with ${code}: ${errors}`);
    const reports = output
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as DeathReport);
    return { signal, reports };
  };
}
