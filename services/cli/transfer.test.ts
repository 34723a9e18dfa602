import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import type { FileChunk } from "../lib/proto/radhical/v1/files.ts";
import { inside, openOut, receiveFiles, receiveFolders, writeWhole } from "./transfer.ts";

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-transfer-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A file as a service sends it, in pieces of three characters. */
function chunksOf(path: string, text: string, hash = sha256(text)): FileChunk[] {
  const pieces = text.match(/.{1,3}/gs) ?? [""];
  return pieces.map((piece, i) => {
    const last = i === pieces.length - 1;
    return { path, data: Buffer.from(piece), last, sha256: last ? hash : "" };
  });
}

async function* stream(chunks: readonly FileChunk[], error?: Error): AsyncGenerator<{ chunk?: FileChunk }> {
  yield {}; // a message without a chunk is allowed by the format
  for (const chunk of chunks) yield { chunk };
  if (error) throw error;
}

const read = (...path: string[]): Promise<string> => readFile(join(...path), "utf8");

test("a file is written with its folders, over what was there", async (t) => {
  const folder = await makeFolder(t);
  await writeWhole(join(folder, "a", "b.txt"), "old");
  await writeWhole(join(folder, "a", "b.txt"), "new");
  assert.equal(await read(folder, "a", "b.txt"), "new");
  assert.deepEqual(await readdir(join(folder, "a")), ["b.txt"]);
});

test("a file that cannot take its place leaves nothing behind and what was there untouched", async (t) => {
  const folder = await makeFolder(t);
  await mkdir(join(folder, "taken", "full"), { recursive: true });
  const refusal = {
    reason: "OUT_UNUSABLE",
    message: /^Cannot write to ".*taken" \(.*see that it is on a disk with room/,
  };
  await assert.rejects(writeWhole(join(folder, "taken"), "data"), refusal);
  await assert.rejects(receiveFiles(stream(chunksOf("taken", "data")), inside(folder)), refusal);
  assert.deepEqual(await readdir(folder), ["taken"]);
});

test("a folder that cannot be written to is known before there is anything to write", async (t) => {
  const folder = await makeFolder(t);
  await openOut(join(folder, "a", "b"));
  assert.deepEqual(await readdir(folder, { recursive: true }), ["a", join("a", "b")]);
  await writeFile(join(folder, "file"), "");
  for (const path of ["file", join("file", "below")])
    await assert.rejects(openOut(join(folder, path)), {
      reason: "OUT_UNUSABLE",
      message: new RegExp(`"${join(folder, path)}"`),
    });
});

test("files arrive in order, each in its place, an empty one too", async (t) => {
  const folder = await makeFolder(t);
  const chunks = [...chunksOf("x/one.txt", "one of two"), ...chunksOf("empty", ""), ...chunksOf("two.txt", "two")];
  await receiveFiles(stream(chunks), inside(folder));
  assert.equal(await read(folder, "x", "one.txt"), "one of two");
  assert.equal(await read(folder, "two.txt"), "two");
  assert.equal(await read(folder, "empty"), "");
});

test("a file whose hash is not the one announced is not kept; those before it are", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "bad"), "from before");
  const chunks = [...chunksOf("good", "whole"), ...chunksOf("bad", "broken", sha256("other"))];
  await assert.rejects(receiveFiles(stream(chunks), inside(folder)), { reason: "HASH_MISMATCH", kind: "dataLoss" });
  assert.deepEqual((await readdir(folder)).sort(), ["bad", "good"]);
  assert.equal(await read(folder, "bad"), "from before");
});

test("a file that ends early is not kept", async (t) => {
  const folder = await makeFolder(t);
  const chunks = chunksOf("cut", "a long one").slice(0, -1);
  await assert.rejects(receiveFiles(stream(chunks), inside(folder)), { reason: "TRANSFER_BROKEN" });
  await assert.rejects(receiveFiles(stream(chunks, new Error("gone")), inside(folder)), /gone/);
  assert.deepEqual(await readdir(folder), []);
});

test("a path that would leave the folder is refused", async (t) => {
  const folder = await makeFolder(t);
  for (const path of ["../x", "a/../../x", "/etc/x", "", ".", "a/.."])
    assert.throws(() => inside(folder)(path), { reason: "PATH_OUTSIDE" }, path);
  assert.throws(() => inside(join(folder, "a"))("../ab/x"), { reason: "PATH_OUTSIDE" });
  assert.equal(inside(folder)("a/b/../c"), resolve(folder, "a", "c"));
  const home = join(folder, "home");
  await assert.rejects(receiveFiles(stream(chunksOf("../x", "x")), inside(home)), { reason: "PATH_OUTSIDE" });
  assert.deepEqual(await readdir(folder), []);
});

test("received folders take the place of those of the same name, and leave others", async (t) => {
  const folder = await makeFolder(t);
  for (const name of ["DB_1", "DB_2"]) await writeWhole(join(folder, name, "old"), name);
  await receiveFolders(stream([...chunksOf("DB_1/new", "n"), ...chunksOf("mean.bin", "m")]), folder);
  assert.deepEqual((await readdir(folder)).sort(), ["DB_1", "DB_2", "mean.bin"]);
  assert.deepEqual(await readdir(join(folder, "DB_1")), ["new"]);
});

test("folders that do not arrive whole change nothing", async (t) => {
  const folder = await makeFolder(t);
  await writeWhole(join(folder, "DB_1", "old"), "old");
  const chunks = [...chunksOf("DB_1/new", "n"), ...chunksOf("DB_2/bad", "b", sha256("other"))];
  await assert.rejects(receiveFolders(stream(chunks), folder), { reason: "HASH_MISMATCH" });
  await assert.rejects(receiveFolders(stream(chunksOf("../DB_1/old", "n")), folder), { reason: "PATH_OUTSIDE" });
  assert.deepEqual(await readdir(folder), ["DB_1"]);
  assert.deepEqual(await readdir(join(folder, "DB_1")), ["old"]);
});
