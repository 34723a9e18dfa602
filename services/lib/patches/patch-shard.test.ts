import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import { PATCH_BYTES } from "../method/patches.ts";
import { writeShard, writeTar } from "./patch-shard.fixture.ts";
import { type Patch, readShard } from "./patch-shard.ts";
import { readTar } from "./ustar.ts";

const pixels = (seed: number) => Uint8Array.from({ length: PATCH_BYTES }, (_, i) => (i * 31 + seed) & 255);
const patches = (count: number): Patch[] =>
  Array.from({ length: count }, (_, i) => ({ name: `${"a".repeat(32)}_${i}_90`, label: i % 3, pixels: pixels(i) }));

const isCorrupt = (thrown: unknown) => thrown instanceof DomainError && thrown.reason === "SHARD_CORRUPT";

test("reads back the patches that were written, in order", () => {
  const patch = fc.record(
    { name: fc.stringMatching(/^[\w-]{1,96}$/), label: fc.integer({ min: 0, max: 255 }), seed: fc.nat(255) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 12 }), fc.nat(600), (seeds, offset) => {
      const written = seeds.map(({ name, label, seed }) => ({ name, label, pixels: pixels(seed) }));
      const shard = writeShard(written);
      const within = new Uint8Array(shard.length + offset); // a view that starts anywhere in its buffer
      within.set(shard, offset);
      assert.deepEqual(readShard(within.subarray(offset)), written);
    }),
    { numRuns: 50 },
  );
});

test("the same patches give the same bytes: no file has a time", () => {
  const shard = Buffer.from(writeShard(patches(5)));
  assert.deepEqual(Buffer.from(writeShard(patches(5))), shard);
  const [mtimeAt, end] = [136, 148]; // of the header that an archive begins with
  assert.equal(shard.toString("latin1", mtimeAt, end), `${"0".repeat(11)}\0`);
});

test("holds files of any size", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 1600 }), { maxLength: 6 });
  fc.assert(
    fc.property(sizes, (lengths) => {
      const entries = lengths.map((length, i) => ({ name: `file-${i}`, data: new Uint8Array(length).fill(i + 1) }));
      const read = readTar(Uint8Array.from(writeTar(entries)));
      assert.deepEqual(read, entries);
    }),
  );
});

test("refuses a shard that is cut short or damaged in a header", () => {
  const shard = writeShard(patches(3));
  for (const kept of [0, 100, 512, 2000, shard.length - 1024]) {
    assert.throws(() => readShard(shard.subarray(0, kept)), isCorrupt, `${kept} bytes kept`);
  }
  for (const at of [0, 130, 257, 3584 + 3]) {
    const damaged = Uint8Array.from(shard);
    damaged[at]! ^= 1;
    assert.throws(() => readShard(damaged), isCorrupt, `byte ${at} changed`);
  }
});

test("refuses an archive that holds something else than pairs of pixels and label", () => {
  const rgb = { name: "a.rgb", data: pixels(1) };
  const cls = { name: "a.cls", data: Buffer.from("1") };
  assert.equal(readShard(writeTar([rgb, cls])).length, 1);
  for (const entries of [
    [rgb],
    [cls, rgb],
    [rgb, { ...cls, name: "b.cls" }],
    [{ ...rgb, data: new Uint8Array(7) }, cls],
    [rgb, { ...cls, data: Buffer.from("x") }],
  ]) {
    assert.throws(() => readShard(writeTar(entries)), isCorrupt);
  }
});

test("does not write a patch that could not be read back", () => {
  const [good] = patches(1);
  for (const change of [
    { name: "a.b" },
    { name: "" },
    { name: "x".repeat(97) },
    { label: -1 },
    { label: 256 },
    { label: 0.5 },
    { pixels: new Uint8Array(3) },
  ]) {
    assert.throws(() => writeShard([{ ...good!, ...change }]), RangeError, JSON.stringify(Object.keys(change)));
  }
});
