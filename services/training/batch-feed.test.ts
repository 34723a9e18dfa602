/** @file The thread that puts batches together gives what the function gives, and fails as it does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openBatchFeed } from "./batch-feed.ts";
import { createBatches } from "./batches.ts";
import { toyRecords } from "./toy-data.fixture.ts";

const source = () => ({
  records: toyRecords(10, 1),
  classOfLabel: [0, 1, 2],
  batchSize: 4,
  seed: "7",
  stainJitter: 0.2,
});

test("a feed gives the batches of createBatches, from any step on", async () => {
  const given = source();
  const feed = openBatchFeed(given, 12);
  try {
    const batchOf = createBatches(source());
    for (const first of [0, 5]) {
      for (let step = first; step < 12; step++) {
        const { patches, labels } = await feed.batch(step);
        assert.deepEqual({ patches, labels }, batchOf(step));
      }
    }
  } finally {
    await feed.stop();
  }
});

test("records in shared memory are looked at where they are, by as many feeds as there are", async () => {
  const own = source();
  const records = new Uint8Array(new SharedArrayBuffer(own.records.length));
  const feeds = ["7", "8"].map((seed) => openBatchFeed({ ...own, records, seed }, 1));
  try {
    records.set(own.records); // after the threads were started: a copy would hold zeros
    for (const { source: given, batch } of feeds) {
      const { patches, labels } = await batch(0);
      assert.deepEqual({ patches, labels }, createBatches(given)(0));
    }
  } finally {
    await Promise.all(feeds.map(({ stop }) => stop()));
  }
});

test("a refusal in the thread reaches whoever waits for the batch as itself", async () => {
  const feed = openBatchFeed({ ...source(), classOfLabel: [0, 2] }, 3);
  try {
    await assert.rejects(feed.batch(0), {
      name: "DomainError",
      kind: "dataLoss",
      reason: "RECORDS_CORRUPT",
      message: /record 2 has label 2/,
    });
  } finally {
    await feed.stop();
  }
});

test("a bug in the thread reaches whoever waits with its own message and stack", async () => {
  const feed = openBatchFeed({ ...source(), batchSize: -1 }, 3);
  try {
    await assert.rejects(feed.batch(0), (error: unknown) => {
      assert.ok(error instanceof RangeError);
      assert.match(error.stack ?? "", /batches/);
      return true;
    });
  } finally {
    await feed.stop();
  }
});

test("a stopped feed gives no batch, and says so; stopping again does nothing", async () => {
  const feed = openBatchFeed(source(), 3);
  await feed.stop();
  await feed.stop();
  await assert.rejects(feed.batch(0), { kind: "unavailable", reason: "BATCH_THREAD_DIED" });
});
