import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openFolderStore } from "./folder-store.ts";

const KILLS = 5;

/** Puts without end: new objects, overwrites and streams; says each key that is safe. */
const putForEver = (folder: string): string => `
  import { createHash, randomBytes } from "node:crypto";
  import { writeSync } from "node:fs";
  import { Readable } from "node:stream";
  import { openFolderStore } from ${JSON.stringify(new URL("folder-store.js", import.meta.url).href)};
  const store = await openFolderStore(${JSON.stringify(folder)});
  const run = randomBytes(4).toString("hex");
  for (let i = 0; ; i++) {
    const key = i % 2 ? "overwritten/" + (i % 6) : "new/" + run + "-" + i;
    const body = Buffer.alloc(1 + Math.floor(Math.random() * 300_000), i % 251);
    const sha256 = createHash("sha256").update(body).digest("hex");
    const stream = Readable.from([body.subarray(0, 1000), body.subarray(1000)], { objectMode: false });
    await store.put(key, i % 3 ? body : { stream, size: body.length, sha256 });
    writeSync(1, key + "\\n");
  }`;

test(`a process killed ${KILLS} times in the middle of its puts leaves only whole objects`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-crash-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const safe = new Set<string>();
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", putForEver(folder)]);
    t.after(() => child.kill("SIGKILL"));
    const exit = once(child, "exit");
    let errors = "";
    let output = "";
    child.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    await Promise.race([once(child.stdout, "data"), exit]);
    await sleep(Math.random() * 100);
    child.kill("SIGKILL");
    assert.deepEqual(await exit, [null, "SIGKILL"], errors);
    for (const key of output.split("\n").slice(0, -1)) safe.add(key);

    const store = await openFolderStore(folder);
    const found = new Set<string>();
    for await (const { key, size } of store.list("")) {
      const content = await store.get(key);
      assert.equal(content.length, size);
      assert.ok(size > 0 && content.every((byte) => byte === content[0]), key);
      found.add(key);
    }
    assert.deepEqual(
      [...safe].filter((key) => !found.has(key)),
      [],
    );
    assert.deepEqual(await readdir(join(folder, ".tmp")), []);
    await store.close();
  }
  assert.ok(safe.size > KILLS);
});
