import assert from "node:assert/strict";
import { test } from "node:test";
import { cutPatches, PATCH_BYTES } from "../method/patches.ts";
import { createRandom } from "../method/random.ts";
import { createRowCopier } from "../method/row-copier.ts";
import { cutRecords } from "./cut-records.ts";
import { patchNames, placeOfPatch } from "./patch-names.ts";
import { recordAt, recordCount } from "./records.ts";

const copier = createRowCopier();
const random = createRandom("records");
const image = { width: 50, height: 41, data: Uint8Array.from({ length: 3 * 50 * 41 }, () => random.int(256)) };
const centresOf = (count: number) => ({
  xs: Uint32Array.from({ length: count }, () => random.int(50)),
  ys: Uint32Array.from({ length: count }, () => random.int(41)),
  labels: Uint8Array.from({ length: count }, () => random.int(3)),
});

/** Patches one after the other, without labels. */
const pixelsOf = ({ xs, ys }: ReturnType<typeof centresOf>): Uint8Array => {
  cutPatches(copier, image, { xs, ys }, { offset: copier.start, stride: PATCH_BYTES });
  return Uint8Array.from(copier.bytes.subarray(copier.start, copier.start + 2 * xs.length * PATCH_BYTES));
};

test("records are the patches with their labels, in the order and at the places of their names", () => {
  for (const count of [0, 1, 7, 120]) {
    const centres = centresOf(count);
    const pixels = pixelsOf(centres);
    const records = cutRecords(copier, image, centres);
    const named = [...patchNames("a", centres.labels)];
    assert.equal(recordCount(records), named.length);
    for (const [i, { name, label }] of named.entries()) {
      assert.equal(placeOfPatch(name), i);
      const record = recordAt(records, i);
      assert.equal(record.label, label);
      assert.deepEqual(
        Buffer.from(record.pixels),
        Buffer.from(pixels.subarray(i * PATCH_BYTES, (i + 1) * PATCH_BYTES)),
      );
    }
  }
});

test("a name that is none has no place", () => {
  for (const name of ["", "a", "a_1", "a_1_45", "a_1_"]) assert.equal(placeOfPatch(name), -1, name);
});
