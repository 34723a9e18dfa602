import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { packPlane } from "./bit-plane.ts";
import { packRuns, unpackRuns } from "./bit-runs.ts";
import { findRuns } from "./components.ts";

test("runs become the plane of their mask, and the plane's runs are they", () => {
  // rows of less than a word, of whole words and beyond; density decides how long runs are
  const size = fc.record({ width: fc.constantFrom(1, 31, 32, 33, 64, 100), height: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(
      size,
      fc.integer({ min: 0, max: 10 }),
      fc.infiniteStream(fc.nat(9)),
      ({ width, height }, density, digits) => {
        const mask = Uint8Array.from({ length: width * height }, () => (digits.next().value < density ? 1 : 0));
        const runs = findRuns(mask, width, height);
        const plane = packRuns(runs, width);
        assert.deepEqual(plane, packPlane(mask, width, height));
        assert.deepEqual(unpackRuns(plane), runs);
      },
    ),
    { numRuns: 300 },
  );
});
