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
import { channelMeans, meanImage, meanPatch, writeLevelDb } from "./caffe-database.ts";

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

const inFileOrder = (count: number) => Uint32Array.from({ length: count }, (_, i) => i);
const nameOf = (record: number) => `image_${COUNT - record}_90`;
const plane = (data: Uint8Array, channel: number) => [...data.subarray(channel * PLANE, (channel + 1) * PLANE)];
const hasReason = (reason: string) => (thrown: unknown) => thrown instanceof DomainError && thrown.reason === reason;

test("writes a Datum for each place under convert_imageset's keys, in file order or any other", async (t) => {
  const bytes = records(COUNT);
  const { path, database } = await stored(t, bytes);
  const shuffled = inFileOrder(COUNT);
  createRandom("order").shuffle(shuffled);
  for (const [n, order] of [inFileOrder(COUNT), shuffled].entries()) {
    const folder = `${database}-${n}`;
    await writeLevelDb(folder, path, order, nameOf);
    const level = new ClassicLevel<string, Uint8Array>(folder, { valueEncoding: "view", createIfMissing: false });
    const entries = await level.iterator().all();
    await level.close();
    assert.equal(entries.length, COUNT);
    if (n === 0) assert.equal(entries[1]![0], `00000001_image_${COUNT - 1}_90`);
    for (const [place, [key, value]] of entries.entries()) {
      assert.equal(key, `${String(place).padStart(8, "0")}_${nameOf(order[place]!)}`);
      const datum = Datum.decode(value);
      const record = recordAt(bytes, order[place]!);
      assert.deepEqual([datum.channels, datum.height, datum.width, datum.label], [3, 32, 32, record.label]);
      if (place % 100 !== 0) continue;
      for (const channel of [0, 1, 2]) assert.deepEqual(plane(datum.data!, 2 - channel), plane(record.pixels, channel));
    }
  }
});

test("refuses a record file that does not match its list, and a folder that holds a database", async (t) => {
  const { path, database } = await stored(t, records(5));
  const write = (folder: string, count: number) => writeLevelDb(folder, path, inFileOrder(count), nameOf);
  await assert.rejects(write(`${database}-a`, 4), hasReason("RECORDS_CORRUPT"));
  await assert.rejects(write(`${database}-b`, 6), hasReason("RECORDS_CORRUPT"));
  await write(database, 5);
  await assert.rejects(write(database, 5), { code: "LEVEL_DATABASE_NOT_OPEN" });
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
