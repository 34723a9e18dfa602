import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

interface Ended {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command as a user does. */
function radhical(...words: string[]): Promise<Ended> {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...words], { env: { PATH: process.env.PATH } }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-main-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("help is a success and names every command; each command has its own", async () => {
  const { code, stdout } = await radhical("--help");
  assert.equal(code, 0);
  for (const command of ["run", "segment", "serve", "provision", "jobs", "doctor"])
    assert.match(stdout, new RegExp(`^  ${command} `, "m"));
  assert.match((await radhical("run", "--help")).stdout, /Required:\n {2}--images <glob>/);
});

test("everything that is missing is said at once", async () => {
  const { code, stdout, stderr } = await radhical("run");
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.equal(stderr, "radhical: Cannot start: --images is required; --masks is required; --out is required\n");
});

test("a pattern that the shell has expanded is recognised", async () => {
  const { code, stderr } = await radhical("run", "--images", "a.png", "b.png", "c.png", "--masks", "m", "--out", "o");
  assert.equal(code, 1);
  assert.match(stderr, /"b\.png" and 1 more: .*quote a pattern/);
});

test("a misspelt option is not taken for anything else", async () => {
  const { code, stderr } = await radhical("run", "--imges", "a.png");
  assert.equal(code, 1);
  assert.match(stderr, /unknown option '--imges'[\s\S]*radhical run --help/);
});

test("a failure is JSON on standard output where JSON was asked for", async (t) => {
  const folder = await makeFolder(t);
  const { code, stdout } = await radhical("segment", folder, "--models", folder, "--out", folder, "--json");
  assert.equal(code, 1);
  const { event, reason, message } = JSON.parse(stdout);
  assert.deepEqual([event, reason], ["failure", "FILES_NOT_FOUND"]);
  assert.ok(message.includes(folder));
});

test("more folds than patients is refused before anything is written", async (t) => {
  const folder = await makeFolder(t);
  for (const name of ["a_1_original.png", "a_1_mask.png"]) await writeFile(join(folder, name), "");
  const files = ["--images", `${folder}/*_original.png`, "--masks", `${folder}/*_mask.png`];
  const { code, stderr } = await radhical("run", ...files, "--out", join(folder, "out"));
  assert.equal(code, 1);
  assert.match(stderr, /Cannot make 5 folds of one patient: all images are of "a"/);
});

test("provision refuses to do nothing", async () => {
  const { code, stderr } = await radhical("provision");
  assert.equal(code, 1);
  assert.match(stderr, /neither KAFKA_BROKERS nor S3_ENDPOINT is set/);
});

test("serve refuses services and levels that do not exist", async () => {
  assert.match((await radhical("serve", "gateway")).stderr, /Cannot serve "gateway": the services are datasets,/);
  assert.match((await radhical("serve", "training", "--level", "2")).stderr, /goes with inference/);
});
