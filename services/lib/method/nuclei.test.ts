import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { packPlane } from "./bit-plane.ts";
import { countNuclei, findNuclei } from "./nuclei.ts";

test("counts as many nuclei as it finds, of labels and of binary masks", () => {
  const [width, height] = [24, 16];
  const shape = fc.record({
    x: fc.nat(width - 1),
    y: fc.nat(height - 1),
    side: fc.integer({ min: 1, max: 6 }),
    label: fc.integer({ min: 1, max: 65_535 }),
  });
  fc.assert(
    fc.property(fc.array(shape, { maxLength: 9 }), (shapes) => {
      const labels = new Uint16Array(width * height);
      for (const { x, y, side, label } of shapes)
        for (let row = y; row < Math.min(y + side, height); row++)
          labels.fill(label, row * width + x, row * width + Math.min(x + side, width));
      for (const kind of ["labels", "binary"] as const) {
        const plane = kind === "labels" ? labels : labels.map((label) => (label > 0 ? 1 : 0));
        const annotated = packPlane(plane, width, height);
        assert.equal(countNuclei(plane, annotated, kind), findNuclei(plane, width, height, kind).count);
      }
    }),
  );
});
