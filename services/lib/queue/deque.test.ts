import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Deque } from "./deque.ts";

test("behaves like an array that is pushed and shifted, also after it has compacted itself", () => {
  // A step pushes that many items (positive) or takes that many (negative); the sizes cross the compaction limit.
  const steps = fc.array(fc.integer({ min: -1500, max: 1500 }), { maxLength: 12 });
  fc.assert(
    fc.property(steps, (sizes) => {
      const deque = new Deque<number>();
      const model: number[] = [];
      let next = 0;
      for (const size of sizes) {
        for (let count = 0; count < size; count++) {
          deque.push(next);
          model.push(next);
          next += 1;
        }
        for (let count = 0; count < -size; count++) assert.equal(deque.shift(), model.shift());
        assert.equal(deque.length, model.length);
        assert.equal(deque.at(0), model[0]);
        assert.equal(deque.at(model.length - 1), model.at(-1));
      }
    }),
    { numRuns: 30 },
  );
});
