import assert from "node:assert/strict";
import { test } from "node:test";
import { cutPatches, PATCH_BYTES } from "../method/patches.ts";
import { createRandom } from "../method/random.ts";
import { createRowCopier } from "../method/row-copier.ts";
import { cutShard } from "./cut-shard.ts";
import { patchNames } from "./patch-names.ts";
import { writeShard } from "./patch-shard.fixture.ts";
import { readShard } from "./patch-shard.ts";

const ID = "0123456789abcdef".repeat(2);
const random = createRandom("cut shard");
const imageOf = (width: number, height: number) => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)),
});
const centresOf = (count: number, width: number, height: number) => ({
  xs: Uint32Array.from({ length: count }, () => random.int(width)),
  ys: Uint32Array.from({ length: count }, () => random.int(height)),
  labels: Uint8Array.from({ length: count }, () => random.int(3)),
});

for (const [count, width, height] of [
  [0, 40, 40],
  [1, 1, 1],
  [10, 52, 7],
  [1011, 70, 61],
] as const) {
  test(`the shard of ${count} centres is the archive of their named patches, byte for byte`, () => {
    const copier = createRowCopier();
    const [image, centres] = [imageOf(width, height), centresOf(count, width, height)];
    const places = { offset: copier.start, stride: PATCH_BYTES };
    cutPatches(copier, image, centres, places);
    const pixels = copier.bytes.slice(copier.start);
    const patches = [...patchNames(ID, centres.labels)].map(({ name, label }, i) => ({
      name,
      label,
      pixels: pixels.subarray(i * PATCH_BYTES, (i + 1) * PATCH_BYTES),
    }));
    // the memory holds something already, and what lies before the shard stays
    copier.bytes.fill(9, copier.start);
    const from = copier.start + 64;
    const { start, end } = cutShard(copier, from, ID, image, centres);
    const shard = Uint8Array.from(copier.bytes.subarray(start, end));
    assert.deepEqual(shard, Uint8Array.from(writeShard(patches)));
    assert.equal(readShard(shard).length, 2 * count);
    assert.ok(copier.bytes.subarray(copier.start, from).every((value) => value === 9));
  });
}

test("does not write a name or a label that could not be read back", () => {
  const copier = createRowCopier();
  const cut = (id: string, label: number) => () =>
    cutShard(copier, copier.start, id, imageOf(4, 4), { xs: [1], ys: [2], labels: Uint8Array.of(label) });
  for (const [id, label] of [
    ["", 0],
    ["a.b", 0],
    ["x".repeat(81), 0],
    [ID, 10],
  ] as const) {
    assert.throws(cut(id, label), RangeError, id);
  }
});
