import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DEFAULT_NETWORK, halved } from "../lib/network/network-description.ts";
import { readNetworkFile } from "./network-file.ts";

test("a network is read from its file, and what is wrong with it names the file", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-network-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "network.json");
  const refuses = async (content: string, message: RegExp): Promise<void> => {
    await writeFile(path, content);
    await assert.rejects(readNetworkFile(path), { reason: "NETWORK_INVALID", message });
  };
  await writeFile(path, JSON.stringify(halved(DEFAULT_NETWORK)));
  assert.deepEqual(await readNetworkFile(path), halved(DEFAULT_NETWORK));
  await refuses("{", /network\.json": .*it is not JSON/);
  await refuses(JSON.stringify({ ...DEFAULT_NETWORK, version: 2 }), /network\.json": .*version/);
  await assert.rejects(readNetworkFile(join(folder, "none")), { reason: "FILE_UNREADABLE", message: /none/ });
  assert.equal(await readNetworkFile(undefined), DEFAULT_NETWORK);
});
