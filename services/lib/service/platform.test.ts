import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { readConfig } from "./config.ts";
import { temporaryFolder } from "./jobs/jobs.fixture.ts";
import { firstFailure } from "./lifecycle.ts";
import { createLogger } from "./log.ts";
import { openPlatform } from "./platform.ts";

/** A platform whose runtimes are the given ones, one after the other; an error is one that cannot be opened. */
async function startPlatform(t: TestContext, runtimes: readonly (Pick<Runtime, "failed"> | Error)[]) {
  const left = runtimes.values();
  const open = async (): Promise<Runtime> => {
    const next = left.next().value;
    if (next === undefined || next instanceof Error) throw next;
    return { close: async () => undefined, ...next } as Runtime;
  };
  const config = readConfig({ RADHICAL_OBJECTS: await temporaryFolder(t) });
  const platform = await openPlatform(config, createLogger("test", "silent"), true, open);
  t.after(() => platform.stop());
  return platform;
}

test("fails when its runtime does, so that the process ends", async (t) => {
  const death = new DomainError("unavailable", "RUNTIME_WORKER_DIED", "Cannot compute: the worker ended");
  const platform = await startPlatform(t, [{ failed: Promise.resolve(death) }]);
  await platform.runtime();
  assert.equal(await firstFailure([platform]), death);
});

test("opens its runtime once, and again where that failed", async (t) => {
  const failure = new Error("no memory");
  const platform = await startPlatform(t, [failure, { failed: new Promise(() => undefined) }]);
  await assert.rejects(platform.runtime(), failure);
  const runtime = await platform.runtime();
  assert.equal(await platform.runtime(), runtime);
});
