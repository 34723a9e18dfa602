import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "./random.ts";
import { createRowCopier, ROW_BYTES } from "./row-copier.ts";

test("copies rows of 32 bytes between any places, in the order asked for, and nothing else", () => {
  const copier = createRowCopier();
  const { start } = copier;
  const free = 200_000;
  copier.reserve(start + free);
  const random = createRandom("rows");
  const expected = Uint8Array.from({ length: free }, () => random.int(256));
  copier.bytes.set(expected, start);
  // more than the copier can remember at once
  for (let order = 0; order < 5_000; order++) {
    const [from, to, rows, step] = [
      random.int(90_000),
      100_000 + random.int(90_000),
      1 + random.int(40),
      random.int(99),
    ];
    copier.copyRows(start + from, start + to, step, rows);
    for (let row = 0; row < rows; row++)
      expected.copyWithin(to + ROW_BYTES * row, from + step * row, from + step * row + ROW_BYTES);
  }
  copier.flush();
  assert.deepEqual(copier.bytes.slice(start, start + free), expected);
});

test("a memory that grows keeps its content, and one that cannot is refused", () => {
  const copier = createRowCopier();
  copier.reserve(copier.start + 100);
  copier.bytes.fill(7, copier.start, copier.start + 100);
  copier.reserve(10_000_000);
  assert.ok(copier.bytes.length >= 10_000_000);
  assert.ok(copier.bytes.subarray(copier.start, copier.start + 100).every((value) => value === 7));
  assert.throws(() => copier.reserve(2 ** 32 + 1), RangeError);
});
