import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ClassicLevel } from "classic-level";
import { DomainError } from "../lib/errors.ts";
import { createRandom } from "../lib/method/random.ts";
import { RECORD_BYTES, recordAt } from "../lib/patches/records.ts";
import { BlobProto, Datum } from "../lib/proto/third_party/caffe/caffe.ts";
import { channelMeans, databaseKey, meanImage, meanPatch, writeLevelDb } from "./caffe-database.ts";

const PLANE = 1024;
const COUNT = 1203; // more than one batch

const records = (count: number): Uint8Array => {
  const random = createRandom("records", count);
  const bytes = Uint8Array.from({ length: count * RECORD_BYTES }, () => random.int(256));
  for (let i = 0; i < count; i++) bytes[i * RECORD_BYTES] = i % 3;
  return bytes;
};

const stored = async (t: TestContext, bytes: Uint8Array) => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-caffe-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "records");
  await writeFile(path, bytes);
  return { path, database: join(folder, "DB_train_1_1") };
};

const keysOf = (count: number) => Array.from({ length: count }, (_, i) => databaseKey(i, `image_${COUNT - i}_90`));
const plane = (data: Uint8Array, channel: number) => [...data.subarray(channel * PLANE, (channel + 1) * PLANE)];
const hasReason = (reason: string) => (thrown: unknown) => thrown instanceof DomainError && thrown.reason === reason;

test("writes one Datum per record under convert_imageset's keys", async (t) => {
  const bytes = records(COUNT);
  const { path, database } = await stored(t, bytes);
  await writeLevelDb(database, path, keysOf(COUNT));
  const level = new ClassicLevel<string, Uint8Array>(database, { valueEncoding: "view", createIfMissing: false });
  t.after(() => level.close());
  const entries = await level.iterator().all();
  assert.equal(entries.length, COUNT);
  assert.equal(entries[1]![0], `00000001_image_${COUNT - 1}_90`);
  for (const [index, [key, value]] of entries.entries()) {
    assert.equal(key, `${String(index).padStart(8, "0")}_image_${COUNT - index}_90`);
    const datum = Datum.decode(value);
    const record = recordAt(bytes, index);
    assert.deepEqual([datum.channels, datum.height, datum.width, datum.label], [3, 32, 32, record.label]);
    if (index % 100 !== 0) continue;
    for (const channel of [0, 1, 2]) assert.deepEqual(plane(datum.data!, 2 - channel), plane(record.pixels, channel));
  }
});

test("refuses a record file that does not match its list, and a folder that holds a database", async (t) => {
  const { path, database } = await stored(t, records(5));
  await assert.rejects(writeLevelDb(`${database}-a`, path, keysOf(4)), hasReason("RECORDS_CORRUPT"));
  await assert.rejects(writeLevelDb(`${database}-b`, path, keysOf(6)), hasReason("RECORDS_CORRUPT"));
  await writeLevelDb(database, path, keysOf(5));
  await assert.rejects(writeLevelDb(database, path, keysOf(5)), { code: "LEVEL_DATABASE_NOT_OPEN" });
});

test("the mean image is the mean of every pixel, in blue, green, red", async (t) => {
  const bytes = records(COUNT);
  const { path } = await stored(t, bytes);
  const mean = await meanPatch(path);
  const blob = BlobProto.decode(meanImage(mean));
  assert.deepEqual([blob.num, blob.channels, blob.height, blob.width, blob.data.length], [1, 3, 32, 32, 3072]);
  for (const [channel, at] of [
    [0, 0],
    [1, 517],
    [2, 1023],
  ] as const) {
    let sum = 0;
    for (let i = 0; i < COUNT; i++) sum += recordAt(bytes, i).pixels[channel * PLANE + at]!;
    assert.ok(Math.abs(blob.data[(2 - channel) * PLANE + at]! - sum / COUNT) < 1e-4, `channel ${channel}`);
  }
});

test("channel means are red, green and blue", async (t) => {
  const bytes = new Uint8Array(2 * RECORD_BYTES);
  for (const [index, rgb] of [
    [10, 20, 30],
    [20, 40, 61],
  ].entries()) {
    for (const [channel, value] of rgb.entries())
      recordAt(bytes, index).pixels.fill(value, channel * PLANE, (channel + 1) * PLANE);
  }
  const { path } = await stored(t, bytes);
  assert.deepEqual(channelMeans(await meanPatch(path)), [15, 30, 45.5]);
});

test("there is no mean of no patches", async (t) => {
  const { path } = await stored(t, new Uint8Array());
  await assert.rejects(meanPatch(path), hasReason("RECORDS_EMPTY"));
});
