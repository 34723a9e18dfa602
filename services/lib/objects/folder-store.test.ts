import assert from "node:assert/strict";
import { mkdtemp, open, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DomainError } from "../errors.ts";
import { folderFailure } from "./folder-failure.ts";
import { objectPath } from "./folder-layout.ts";
import { openFolderStore } from "./folder-store.ts";
import { objectStoreContract } from "./object-store.contract.ts";

const newFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-objects-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

const pathOf = (folder: string, key: string) => objectPath(join(folder, "objects"), key);

const openStore = async (t: TestContext) => {
  const folder = await newFolder(t);
  const store = await openFolderStore(folder);
  t.after(() => store.close());
  return { store, folder };
};

const isFailure = (reason: string) => (error: unknown) => error instanceof DomainError && error.reason === reason;

objectStoreContract("folder", async (t) => {
  const { store, folder } = await openStore(t);
  const corrupt = async (key: string) => {
    const file = await open(pathOf(folder, key), "r+");
    await file.write(new Uint8Array(100), 0, 100, 1000);
    await file.close();
  };
  return { store, corrupt };
});

test("a folder belongs to one store until that is closed", async (t) => {
  const folder = await newFolder(t);
  const first = await openFolderStore(folder);
  await first.put("k", new Uint8Array(3));
  await assert.rejects(openFolderStore(folder), isFailure("FOLDER_IN_USE"));
  await first.close();
  const second = await openFolderStore(folder);
  assert.equal((await second.get("k")).length, 3);
  await second.close();
});

test("a damaged lock database does not keep the folder shut", async (t) => {
  const folder = await newFolder(t);
  const store = await openFolderStore(folder);
  await store.put("k", new Uint8Array(3));
  await store.close();
  await writeFile(join(folder, ".lock", "CURRENT"), "garbage");
  const again = await openFolderStore(folder);
  assert.equal((await again.head("k"))?.size, 3);
  await assert.rejects(openFolderStore(folder), isFailure("FOLDER_IN_USE"));
  await again.close();
});

test("a file cut short anywhere is corrupt in every reading call", async (t) => {
  const { store, folder } = await openStore(t);
  for (const length of [0, 1, 39, 40, 100, 139]) {
    await store.put("k", new Uint8Array(100));
    await truncate(pathOf(folder, "k"), length);
    for (const call of [store.get, store.find, store.head, store.stream]) {
      await assert.rejects(call("k"), isFailure("OBJECT_CORRUPT"), `${length} bytes`);
    }
  }
  await store.delete("k");
  assert.equal(await store.head("k"), undefined);
});

test("a listing has an object and those below its own key, in byte order", async (t) => {
  const { store } = await openStore(t);
  const order = ["a", "a-b", "a.b", "a/b", "a/b-c", "a/b.c", "a/b/c", "a/b/c/d", "a/b0", "a0"];
  for (const key of order.toReversed()) await store.put(key, new Uint8Array(0));
  const listed: string[] = [];
  for await (const { key } of store.list("a")) listed.push(key);
  assert.deepEqual(listed, order);
});

test("a listing reads a folder only when its first key is due", async (t) => {
  const { store } = await openStore(t);
  for (const key of ["a/1", "b/1"]) await store.put(key, new Uint8Array(0));
  const keys: string[] = [];
  for await (const { key } of store.list("")) {
    if (key === "a/1") await store.put("b/2", new Uint8Array(0));
    keys.push(key);
  }
  assert.deepEqual(keys, ["a/1", "b/1", "b/2"]);
});

test("a put leaves no temporary file behind, whatever comes of it", async (t) => {
  const { store, folder } = await openStore(t);
  await store.put("k", new Uint8Array(1));
  assert.equal(await store.put("k", new Uint8Array(2), { ifAbsent: true }), undefined);
  assert.equal(await store.put("k", new Uint8Array(2), { ifMatch: "other" }), undefined);
  const race = Array.from({ length: 10 }, () => store.put("race", new Uint8Array(2), { ifAbsent: true }));
  await Promise.all(race);
  assert.deepEqual(await readdir(join(folder, ".tmp")), []);
  // Content first, so that an object can be looked at with any tool.
  assert.deepEqual(new Uint8Array((await readFile(pathOf(folder, "race"))).subarray(0, 2)), new Uint8Array(2));
});

test("a path that is no folder is refused with what to check", async (t) => {
  const folder = await newFolder(t);
  const file = join(folder, "file");
  await writeFile(file, "");
  await assert.rejects(openFolderStore(join(file, "below")), isFailure("OBJECT_STORE_DENIED"));
  await assert.rejects(openFolderStore(file), isFailure("OBJECT_STORE_DENIED"));
});

test("system errors become failures with a cure, others stay what they are", () => {
  const systemError = (code: string) => Object.assign(new Error(code), { code });
  const cases = {
    ENOSPC: "DISK_FULL",
    EDQUOT: "DISK_FULL",
    EROFS: "OBJECT_STORE_DENIED",
    EMFILE: "OBJECT_STORE_UNAVAILABLE",
  };
  for (const [code, reason] of Object.entries(cases)) {
    const cause = systemError(code);
    const failure = folderFailure('store object "k"', cause);
    assert.ok(isFailure(reason)(failure), code);
    assert.equal((failure as Error).cause, cause);
  }
  const bug = new TypeError("bug");
  assert.equal(folderFailure("store", bug), bug);
});
