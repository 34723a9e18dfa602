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
    await assert.rejects(readNetworkFile(path, 2), { reason: "NETWORK_INVALID", message });
  };
  await writeFile(path, JSON.stringify(halved(DEFAULT_NETWORK)));
  assert.deepEqual(await readNetworkFile(path, 2), halved(DEFAULT_NETWORK));
  await refuses("{", /network\.json": .*it is not JSON/);
  await refuses(JSON.stringify({ ...DEFAULT_NETWORK, version: 2 }), /network\.json": .*version/);
  await assert.rejects(readNetworkFile(join(folder, "none"), 2), { reason: "FILE_UNREADABLE", message: /none/ });
  assert.equal(await readNetworkFile(undefined, 2), DEFAULT_NETWORK);
  // 32 million parameters: one is possible, two are more than a model may have
  const { layers } = DEFAULT_NETWORK;
  const widen = (layer: (typeof layers)[number], i: number) =>
    layer.type === "conv" && i < layers.length - 1 ? { ...layer, channels: 20 * layer.channels } : layer;
  const wide = { ...DEFAULT_NETWORK, layers: layers.map(widen) };
  await writeFile(path, JSON.stringify(wide));
  assert.deepEqual(await readNetworkFile(path, 1), wide);
  await assert.rejects(readNetworkFile(path, 2), { reason: "NETWORK_INVALID", message: /network\.json": .*2 members/ });
});
