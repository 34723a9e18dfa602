/** @file Batches are a function of seed and step alone, and every pass sees every patch once. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mirrorPatch, PATCH_BYTES } from "../lib/method/patches.ts";
import { RECORD_BYTES } from "../lib/patches/records.ts";
import { createBatches } from "./batches.ts";
import { toyRecords } from "./toy-data.fixture.ts";

/** Returns every mirror image of a record's pixels, as text, with the record's number. */
function mirrorImages(records: Uint8Array): Map<string, number> {
  const images = new Map<string, number>();
  for (let i = 0; i < records.length / RECORD_BYTES; i++) {
    for (const horizontally of [false, true]) {
      for (const vertically of [false, true]) {
        const data = records.slice(i * RECORD_BYTES + 1, (i + 1) * RECORD_BYTES);
        mirrorPatch(new Int32Array(data.buffer), 0, { horizontally, vertically });
        images.set(Buffer.from(data).toString("base64"), i);
      }
    }
  }
  return images;
}

const plain = { classOfLabel: [0, 1, 2], stainJitter: 0 };

const patchAt = (patches: Uint8Array, i: number): string =>
  Buffer.from(patches.subarray(i * PATCH_BYTES, (i + 1) * PATCH_BYTES)).toString("base64");

test("every pass sees every patch exactly once, mirrored at most, with its label's class", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 9 }),
      fc.string(),
      (count, batchSize, seed) => {
        const records = toyRecords(count, 1);
        const images = mirrorImages(records);
        const batch = createBatches({ records, classOfLabel: [2, 0, 1], batchSize, seed, stainJitter: 0 });
        const seen: number[] = [];
        for (let step = 0; seen.length < 3 * count; step++) {
          const { patches, labels } = batch(step);
          for (let i = 0; i < batchSize; i++) {
            const record = images.get(patchAt(patches, i));
            assert.notEqual(record, undefined, "a patch that no record is");
            assert.equal(labels[i], [2, 0, 1][record! % 3]);
            seen.push(record!);
          }
        }
        const all = Array.from({ length: count }, (_, i) => i);
        for (const pass of [0, 1, 2]) {
          const visited = seen.slice(pass * count, (pass + 1) * count);
          assert.deepEqual(
            visited.toSorted((a, b) => a - b),
            all,
          );
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("a step's batch does not depend on the steps before it", () => {
  const source = { records: toyRecords(10, 1), classOfLabel: [0, 1, 2], batchSize: 4, seed: "7", stainJitter: 0.3 };
  const forward = createBatches(source);
  const inOrder = Array.from({ length: 12 }, (_, step) => forward(step));
  const anew = createBatches(source);
  for (const step of [11, 3, 3, 0, 7]) assert.deepEqual(anew(step), inOrder[step]);
});

test("another seed gives another order, another pass too, and mirrors of all four kinds occur", () => {
  const records = toyRecords(16, 1);
  const images = mirrorImages(records);
  const orderOf = (seed: string, step: number) => {
    const { patches } = createBatches({ ...plain, records, batchSize: 16, seed })(step);
    return Array.from({ length: 16 }, (_, i) => images.get(patchAt(patches, i))).join();
  };
  assert.equal(new Set([orderOf("1", 0), orderOf("2", 0), orderOf("1", 1)]).size, 3);
  const one = createBatches({ ...plain, records: toyRecords(1, 1), batchSize: 64, seed: "1" })(0);
  assert.equal(new Set(Array.from({ length: 64 }, (_, i) => patchAt(one.patches, i))).size, 4);
});

test("stain jitter stains every patch of every step anew, and changes neither order nor mirrors nor labels", () => {
  // one grey everywhere: a mirror image of it is itself, so that patches differ by their stain alone
  const records = new Uint8Array(6 * RECORD_BYTES).fill(120);
  for (let i = 0; i < 6; i++) records[i * RECORD_BYTES] = i % 3;
  const at = (stainJitter: number, step: number) =>
    createBatches({ records, classOfLabel: [0, 1, 2], batchSize: 6, seed: "1", stainJitter })(step);
  assert.deepEqual([...new Set(at(0, 0).patches)], [120]);
  assert.deepEqual(at(0.2, 0).labels, at(0, 0).labels);
  const colours = [0, 1].flatMap((step) => {
    const { patches } = at(0.2, step);
    return Array.from({ length: 6 }, (_, i) =>
      [0, 1, 2].map((channel) => patches[i * PATCH_BYTES + 1024 * channel]).join(),
    );
  });
  assert.equal(new Set(colours).size, 12);
  assert.deepEqual(at(0.2, 1), at(0.2, 1));

  const textured = { records: toyRecords(6, 1), classOfLabel: [0, 1, 2], batchSize: 6, seed: "1" };
  const plainBatch = createBatches({ ...textured, stainJitter: 0 })(3);
  const faint = createBatches({ ...textured, stainJitter: 1e-9 })(3);
  const largest = plainBatch.patches.reduce((most, value, i) => Math.max(most, Math.abs(value - faint.patches[i]!)), 0);
  assert.ok(largest <= 1, `the faintest jitter moves a value by ${largest}`);
});

test("records that could train a wrong class are refused", () => {
  const refusal = { kind: "dataLoss", reason: "RECORDS_CORRUPT" };
  const from = (records: Uint8Array, classOfLabel: number[]) => () =>
    createBatches({ records, classOfLabel, batchSize: 4, seed: "1", stainJitter: 0 });
  assert.throws(from(toyRecords(9, 1), [0, 2]), { ...refusal, message: /record 2 has label 2, known are 0 to 1/ });
  assert.throws(from(new Uint8Array(), [0, 2]), refusal);
  assert.throws(from(toyRecords(2, 1).subarray(1), [0, 1, 2]), refusal);
});
