import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_COUNTS } from "../lib/method/sampling.ts";
import { readShard } from "../lib/patches/patch-shard.ts";
import type { CutRequest } from "./cut-image.ts";
import { openCutters } from "./cutters.ts";

const request = (imageId: string, nucleusPx: number): CutRequest => ({
  image: { width: 20, height: 10, data: new Uint8Array(600).fill(200) },
  labels: new Uint16Array(200).fill(1, 0, nucleusPx),
  maskKind: "binary",
  annotation: "complete",
  reductions: [1, 2],
  counts: { ...DEFAULT_COUNTS.sparse, positive: 3 },
  seed: 1,
  imageId,
});

test("images cut at the same time keep apart, and a thread is used again", async (t) => {
  const cutters = openCutters();
  t.after(cutters.stop);
  const namesOf = async (imageId: string) => {
    const names: (string | undefined)[] = [];
    await cutters.cut(request(imageId, 5), async (_, shard) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      names.push(...readShard(shard).map(({ name }) => name.split("_")[0]));
    });
    return names;
  };
  for (let round = 0; round < 2; round++) {
    const names = await Promise.all(["a", "b", "c"].map(namesOf));
    assert.deepEqual(
      names.map((ofImage) => [...new Set(ofImage)]),
      [["a"], ["b"], ["c"]],
    );
  }
});

test("an image that cannot be cut fails alone: the thread goes on", async (t) => {
  const cutters = openCutters();
  t.after(cutters.stop);
  const impossible = { ...request("a", 0), labels: new Uint16Array(3) };
  await assert.rejects(
    cutters.cut(impossible, async () => undefined),
    /Cannot use 3 labels/,
  );
  const { shortfalls, nuclei } = await cutters.cut(request("a", 0), async () => undefined);
  assert.deepEqual(shortfalls[0], { level: 1, kind: "positive", wanted: 3, found: 0 });
  assert.equal(nuclei, 0);
});

test("an image whose shards cannot be stored fails, and the next one begins anew", async (t) => {
  const cutters = openCutters();
  t.after(cutters.stop);
  const full = async (): Promise<void> => Promise.reject(new Error("disk full"));
  await assert.rejects(cutters.cut(request("a", 5), full), /disk full/);
  const levels: number[] = [];
  await cutters.cut(request("b", 5), async ({ level }) => levels.push(level));
  assert.deepEqual(levels, [1, 2]);
});

test("stopped cutters cut no more", async () => {
  const cutters = openCutters();
  await cutters.cut(request("a", 1), async () => undefined);
  await cutters.stop();
  await cutters.stop();
  await assert.rejects(
    cutters.cut(request("a", 1), async () => undefined),
    { reason: "CUTTERS_STOPPED" },
  );
});
