import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DomainError } from "../lib/errors.ts";
import { PATCH_BYTES } from "../lib/method/patches.ts";
import { createRandom } from "../lib/method/random.ts";
import { type NamedPatch, patchNames } from "../lib/patches/patch-names.ts";
import { RECORD_BYTES, recordAt, recordCount } from "../lib/patches/records.ts";
import { openList } from "./list-file.ts";
import { readRecords, readRecordsInOrder, writeRecords } from "./record-file.ts";

const IMAGES = ["aa", "bb", "cc"];
const listOf = (imageId: string, centres: number) => [
  ...patchNames(
    imageId,
    Uint8Array.from({ length: centres }, (_, i) => i % 3),
  ),
];
const pixelsOf = (name: string) => {
  const random = createRandom(name);
  return Uint8Array.from({ length: PATCH_BYTES }, () => random.int(256));
};
const recordsOf = (imageId: string, centres: number): Uint8Array =>
  Buffer.concat(listOf(imageId, centres).flatMap(({ name, label }) => [Uint8Array.of(label), pixelsOf(name)]));

const fileOf = (patches: readonly NamedPatch[]) =>
  openList(Buffer.from(patches.map(({ name, label }) => `${name}\t${label}\n`).join("")));

const newFolder = async (t: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-records-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
};

const hasReason = (reason: string) => (thrown: unknown) => thrown instanceof DomainError && thrown.reason === reason;

test("writes the patches in list order and loads each image's records once", async (t) => {
  const path = join(await newFolder(t), "records");
  const order = IMAGES.flatMap((imageId) => listOf(imageId, 200)); // more than are held at once, images across pieces
  const loaded: string[] = [];
  const file = await writeRecords(path, fileOf(order), async (imageId) => {
    loaded.push(imageId);
    return recordsOf(imageId, 210); // an image may have more than is listed
  });
  assert.deepEqual(loaded, IMAGES);
  const bytes = await readFile(path);
  assert.equal(recordCount(bytes), order.length);
  const { byLabel, ...described } = file;
  assert.deepEqual(described, { path, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
  assert.deepEqual([...byLabel.subarray(0, 4)], [402, 402, 396, 0]);
  for (const [index, { name, label }] of order.entries()) {
    const record = recordAt(bytes, index);
    assert.equal(record.label, label);
    assert.ok(Buffer.from(pixelsOf(name)).equals(record.pixels), name);
  }
});

test("refuses a list that does not match its images, and a file that exists", async (t) => {
  const folder = await newFolder(t);
  const records = recordsOf("aa", 2);
  const [first] = listOf("aa", 2);
  for (const [index, listed] of [
    { ...first!, label: 2 },
    { ...first!, name: "aa_9_0" },
    { ...first!, name: "aa_0_45" },
  ].entries()) {
    const write = writeRecords(join(folder, `bad-${index}`), fileOf([listed]), async () => records);
    await assert.rejects(write, hasReason("PATCH_NOT_FOUND"));
  }
  const path = join(folder, "twice");
  await writeRecords(path, fileOf([first!]), async () => records);
  await assert.rejects(
    writeRecords(path, fileOf([first!]), async () => records),
    { code: "EEXIST" },
  );
});

test("reads a file back in pieces of whole records", async (t) => {
  const path = join(await newFolder(t), "records");
  const bytes = new Uint8Array(2345 * RECORD_BYTES);
  for (let i = 0; i < 2345; i++) bytes.fill(i & 255, i * RECORD_BYTES, (i + 1) * RECORD_BYTES);
  await writeFile(path, bytes);
  const lengths: number[] = [];
  const hash = createHash("sha256");
  for await (const piece of readRecords(path)) {
    lengths.push(recordCount(piece));
    hash.update(piece);
  }
  assert.deepEqual(lengths, [1000, 1000, 345]);
  assert.equal(hash.digest("hex"), createHash("sha256").update(bytes).digest("hex"));
});

test("reads records in any order, each place's as the file has it", async (t) => {
  const path = join(await newFolder(t), "records");
  const bytes = new Uint8Array(2345 * RECORD_BYTES);
  for (let i = 0; i < 2345; i++) bytes.fill(i % 251, i * RECORD_BYTES, (i + 1) * RECORD_BYTES);
  await writeFile(path, bytes);
  const order = Uint32Array.from({ length: 2345 }, (_, i) => i);
  createRandom("order").shuffle(order);
  let place = 0;
  for await (const piece of readRecordsInOrder(path, order)) {
    for (let i = 0; i < recordCount(piece); i++) {
      const [first, last] = [piece[i * RECORD_BYTES], piece[(i + 1) * RECORD_BYTES - 1]];
      assert.deepEqual([first, last], [order[place]! % 251, order[place]! % 251]);
      place++;
    }
  }
  assert.equal(place, 2345);
  for (const places of [2344, 2346]) {
    await assert.rejects(readRecordsInOrder(path, new Uint32Array(places)).next(), hasReason("RECORDS_CORRUPT"));
  }
  await assert.rejects(readRecordsInOrder(path, new Uint32Array(2345).fill(2345)).next(), hasReason("RECORDS_CORRUPT"));
});

test("an empty list makes an empty file", async (t) => {
  const path = join(await newFolder(t), "records");
  assert.equal((await writeRecords(path, fileOf([]), async () => new Uint8Array())).size, 0);
  for await (const piece of readRecords(path)) assert.fail(`read ${piece.length} bytes`);
});

test("refuses a file with half a record and an index beyond the end", async (t) => {
  const path = join(await newFolder(t), "records");
  const bytes = new Uint8Array(RECORD_BYTES + 5);
  await writeFile(path, bytes);
  assert.throws(() => recordCount(bytes), hasReason("RECORDS_CORRUPT"));
  await assert.rejects(readRecords(path).next(), hasReason("RECORDS_CORRUPT"));
  assert.throws(() => recordAt(bytes.subarray(0, RECORD_BYTES), 1), RangeError);
});
