import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { BuildRecord_RecordFile } from "../lib/proto/radhical/v1/work.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { toyRecords } from "./toy-data.fixture.ts";
import { createRecordReader } from "./training-records.ts";

const records = toyRecords(50, 1);
const file = BuildRecord_RecordFile.fromPartial({
  key: "train.records",
  database: { recordsSha256: "hash", byLabel: [20n, 20n, 10n], classOfLabel: [0, 2, 2] },
});
const nothing = async (): Promise<void> => undefined;

/** A store that counts how often the file is read. */
async function countingStore(...args: Parameters<typeof temporaryStore>) {
  const store = await temporaryStore(...args);
  await store.put(file.key, records);
  let reads = 0;
  const objects: ObjectStore = {
    ...store,
    stream: (...given) => {
      reads++;
      return store.stream(...given);
    },
  };
  return { objects, reads: () => reads };
}

test("gives the file's bytes and what its database says of it", async (t) => {
  const { objects } = await countingStore(t);
  const { bytes, sha256, classOfLabel, counts } = await createRecordReader(objects)(file, nothing);
  assert.deepEqual(Uint8Array.from(bytes), records);
  assert.deepEqual(
    { sha256, classOfLabel, counts },
    { sha256: "hash", classOfLabel: [0, 2, 2], counts: [20n, 0n, 30n] },
  );
});

test("units that read the same file, at once or while another holds it, have it in memory once", async (t) => {
  const { objects, reads } = await countingStore(t);
  const read = createRecordReader(objects);
  const together = await Promise.all([1, 2, 3].map(() => read(file, nothing)));
  together.push(await read(file, nothing));
  assert.equal(reads(), 1);
  for (const { bytes } of together) assert.equal(bytes.buffer, together[0]!.bytes.buffer);
});

test("who waits for another's reading says that it is alive, and reads itself where that one fails", async (t) => {
  const { objects, reads } = await countingStore(t);
  const read = createRecordReader(objects);
  const cancelled = read(file, async () => {
    await sleep(50);
    throw new Error("cancelled");
  });
  let signs = 0;
  const other = read(file, async () => void signs++);
  await assert.rejects(cancelled, /cancelled/);
  assert.deepEqual(Uint8Array.from((await other).bytes), records);
  assert.equal(reads(), 2);
  assert.ok(signs > 1, "one while it waited, one of its own reading");
});
