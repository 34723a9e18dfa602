import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openAttemptsFolder } from "./attempts-folder.ts";
import { message } from "./harness.fixture.ts";

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-attempts-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("remembers starts for a process that opens the folder later", async (t) => {
  const folder = join(await temporaryFolder(t), "made", "on", "the", "way");
  await (await openAttemptsFolder(folder))("g", "t", message("a", "x")).record(2);
  assert.equal((await openAttemptsFolder(folder))("g", "t", message("a", "x")).tally.deaths, 2);
});

test("tells messages apart by group, topic, key, value and job, and by no other header", async (t) => {
  const folder = await temporaryFolder(t);
  const job = { job: "job-1" };
  await (await openAttemptsFolder(folder))("g", "t", message("a", "x", job)).record(1);
  const attempts = await openAttemptsFolder(folder);
  const deaths = (group: string, topic: string, sent: ReturnType<typeof message>) =>
    attempts(group, topic, sent).tally.deaths;
  assert.equal(deaths("g", "t", message("a", "x", { ...job, trace: "other" })), 1);
  assert.equal(deaths("other", "t", message("a", "x", job)), 0);
  assert.equal(deaths("g", "other", message("a", "x", job)), 0);
  assert.equal(deaths("g", "t", message("other", "x", job)), 0);
  assert.equal(deaths("g", "t", message("a", "other", job)), 0);
  assert.equal(deaths("g", "t", message("a", "x", { job: "job-2" })), 0);
  assert.equal(deaths("g", "t", message("a", "x")), 0);
});

test("takes a file whose writer died in the act for one start", async (t) => {
  const folder = await temporaryFolder(t);
  await (await openAttemptsFolder(folder))("g", "t", message("a", "x")).record(1);
  const [name] = await readdir(folder);
  await writeFile(join(folder, name!), "");
  assert.equal((await openAttemptsFolder(folder))("g", "t", message("a", "x")).tally.deaths, 1);
});

test("leaves no file behind for a message that is done or was given back unharmed", async (t) => {
  const folder = await temporaryFolder(t);
  const attempts = await openAttemptsFolder(folder);
  const done = attempts("g", "t", message("a", "done"));
  await done.record(1);
  await done.forget();
  const givenBack = attempts("g", "t", message("a", "given back"));
  await givenBack.record(1);
  await givenBack.record(0);
  assert.deepEqual(await readdir(folder), []);
});
