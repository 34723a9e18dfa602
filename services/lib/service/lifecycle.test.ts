/** @file A process of parts, stopped by signals: a real process each time. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./jobs/jobs.fixture.ts";
import { startTogether } from "./lifecycle.ts";

// Compiled beside this file.
const CHILD = fileURLToPath(new URL("./lifecycle.child.js", import.meta.url));

async function runChild(
  mode: string,
  signals: readonly NodeJS.Signals[],
): Promise<{ lines: string[]; code: number | null }> {
  const child = spawn(process.execPath, [CHILD, mode], { stdio: ["ignore", "pipe", "ignore"] });
  const exited = once(child, "exit");
  const lines: string[] = [];
  const left = [...signals];
  for await (const line of createInterface(child.stdout)) {
    lines.push(line);
    if (line === "ready" || line === "stopping second") {
      const signal = left.shift();
      if (signal) child.kill(signal);
    }
  }
  await exited;
  return { lines, code: child.exitCode };
}

const IN_REVERSE = ["stopping third", "stopping second", "stopping first"];

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal} stops the parts in reverse order and ends well`, async () => {
    assert.deepEqual(await runChild("well", [signal]), { lines: ["ready", ...IN_REVERSE, "ended"], code: 0 });
  });
}

test("what parts leave behind does not keep their process", async () => {
  const { lines, code } = await runChild("something is left behind", ["SIGTERM"]);
  assert.deepEqual({ lines, code }, { lines: ["ready", ...IN_REVERSE, "ended"], code: 0 });
});

test("a part that fails to stop does not keep the others running", async () => {
  assert.deepEqual(await runChild("part fails to stop", ["SIGTERM"]), {
    lines: ["ready", ...IN_REVERSE, "ended"],
    code: 0,
  });
});

test("a part that can work no longer ends the process with an error", async () => {
  assert.deepEqual(await runChild("part fails", []), { lines: ["ready", ...IN_REVERSE, "ended"], code: 1 });
});

test("a part that does not stop in time is left behind", async () => {
  const { lines, code } = await runChild("part hangs", ["SIGTERM"]);
  assert.deepEqual([lines.at(-1), code], ["stopping second", 1]);
});

for (const second of ["SIGTERM", "SIGINT"] as const) {
  test(`a ${second} after the first signal forces the end`, async () => {
    const { lines, code } = await runChild("part hangs for long", ["SIGTERM", second]);
    assert.deepEqual([lines.at(-1), code], ["stopping second", 1]);
  });
}

test("a worker that hangs ends its process, which waits for it no longer than for any part", async (t) => {
  const folder = await temporaryFolder(t);
  const script = fileURLToPath(new URL("./stalled-worker.child.js", import.meta.url));
  const child = spawn(process.execPath, [script, folder], { stdio: ["ignore", "ignore", "pipe"] });
  let logged = "";
  child.stderr.on("data", (chunk: Buffer) => {
    logged += chunk.toString();
  });
  const [code] = await once(child, "close");
  assert.equal(code, 1);
  for (const word of ["work in hand does not advance", "WORKER_STALLED", "did not stop in time"])
    assert.ok(logged.includes(word), `${word} in ${logged}`);
});

test("of parts that start side by side all run or none", async () => {
  const stopped: string[] = [];
  const part = (name: string) => ({ stop: async () => void stopped.push(name) });
  const slow = async (name: string) => {
    await sleep(20);
    return part(name);
  };
  const [one, two] = await startTogether([slow("one"), slow("two")]);
  assert.ok(one && two);
  const refused = startTogether([slow("three"), Promise.reject(new Error("no room")), Promise.resolve(part("four"))]);
  await assert.rejects(refused, /no room/);
  assert.deepEqual(stopped, ["three", "four"]);
});
