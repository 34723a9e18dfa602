import assert from "node:assert/strict";
import { test } from "node:test";
import { createScratch } from "./scratch.ts";

test("gives the smallest buffer that it holds and that suffices, to one user at a time", () => {
  const scratch = createScratch();
  const [small, large] = [scratch.take(1_000), scratch.take(100_000)];
  assert.ok(small.byteLength >= 1_000 && large.byteLength >= 100_000);
  scratch.give(large);
  scratch.give(small);
  assert.equal(scratch.take(900), small);
  assert.equal(scratch.take(900), large);
  assert.notEqual(scratch.take(900), large);
});

test("holds no more than it may", () => {
  const scratch = createScratch();
  const buffers = Array.from({ length: 5 }, () => scratch.take(2 ** 23));
  for (const buffer of buffers) scratch.give(buffer);
  const again = Array.from({ length: 5 }, () => scratch.take(2 ** 23));
  assert.equal(again.filter((buffer) => buffers.includes(buffer)).length, 4);
});
