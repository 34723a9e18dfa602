import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseList, patchNames } from "../lib/patches/patch-names.ts";
import { openList } from "./list-file.ts";

const linesOf = (imageId: string, labels: readonly number[]) =>
  [...patchNames(imageId, Uint8Array.from(labels))].map(({ name, label }) => `${name}\t${label}\n`).join("");

test("gives every line of a list in any order, as parsing the whole does", () => {
  const image = fc.tuple(fc.stringMatching(/^[0-9a-f]{4,32}$/), fc.array(fc.nat(2), { maxLength: 20 }));
  fc.assert(
    fc.property(fc.array(image, { maxLength: 6 }), fc.nat(9), (images, offset) => {
      const text = images.map(([imageId, labels]) => linesOf(imageId, labels)).join("");
      const within = Buffer.concat([Buffer.alloc(offset, "x"), Buffer.from(text)]); // a view that starts anywhere
      const list = openList(within.subarray(offset));
      const expected = parseList(text);
      assert.equal(list.length, expected.length);
      for (let i = list.length - 1; i >= 0; i--) assert.deepEqual(list.at(i), expected[i]);
    }),
  );
});

test("has no line beyond the end", () => {
  const list = openList(Buffer.from("aa_0_0\t1\naa_0_90\t1\n"));
  assert.deepEqual(list.at(1), { imageId: "aa", name: "aa_0_90", label: 1 });
  assert.throws(() => list.at(2), RangeError);
  assert.equal(openList(new Uint8Array()).length, 0);
});
