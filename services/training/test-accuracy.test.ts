/** @file The sample behind the accuracy curve, and what accuracy is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RECORD_BYTES } from "../lib/patches/records.ts";
import { accuracy, evenSample } from "./test-accuracy.ts";

test("a sample is in order, without repeats, evenly spread, and all there is where there is less", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 1, max: 60 }), (all, count) => {
      const records = new Uint8Array(all * RECORD_BYTES);
      for (let i = 0; i < all; i++) records[i * RECORD_BYTES] = i;
      const sample = evenSample(records, count);
      const taken = Array.from({ length: sample.length / RECORD_BYTES }, (_, i) => sample[i * RECORD_BYTES]!);
      assert.equal(taken.length, Math.min(all, count));
      for (const [i, record] of taken.entries()) {
        const middle = ((i + 0.5) * all) / taken.length;
        assert.ok(Math.abs(record + 0.5 - middle) <= 0.5, `${record} is not at ${middle}`);
      }
    }),
  );
});

test("accuracy is the diagonal's share; of no patches it is 0", () => {
  assert.equal(accuracy([1, 2, 3, 4, 5, 6, 7, 8, 9]), 15 / 45);
  assert.equal(accuracy(new Array(9).fill(0)), 0);
});
