/** @file What every object store does when several write to one key: part of its contract. */
import assert from "node:assert/strict";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { bytes, LARGE_BYTES, type OpenStore, start, streamed, text } from "./contract.fixture.ts";

const RACERS = 10;

/** Registers the tests of conditional puts. */
export const conditionsContract = (name: string, open: OpenStore): void => {
  for (const [what, make] of [
    ["whole", (i: number) => bytes(`racer ${i}`)],
    ["as streams", (i: number) => streamed(bytes(`racer ${i}`))],
    ["with 2 MiB each", (i: number) => new Uint8Array(2 ** 21).fill(i)],
    ["large and whole", (i: number) => new Uint8Array(LARGE_BYTES).fill(i)],
    ["as large streams", (i: number) => streamed(new Uint8Array(LARGE_BYTES).fill(i))],
  ] as const) {
    test(`${name}: lets exactly one of ${RACERS} racers create an object, ${what}`, async (t) => {
      const { store, at } = await start(t, open);
      const race = Array.from({ length: RACERS }, (_, i) => store.put(at("k"), make(i), { ifAbsent: true }));
      const etags = await Promise.all(race);
      const winners = etags.flatMap((etag, i) => (etag === undefined ? [] : [{ etag, i }]));
      assert.equal(winners.length, 1);
      const winner = winners[0]!;
      const body = make(winner.i);
      const expected = body instanceof Uint8Array ? body : new Uint8Array(await buffer(body.stream));
      assert.deepEqual(await store.find(at("k")), { bytes: expected, etag: winner.etag });
    });
  }

  for (const [what, size] of [
    ["a small object", 10],
    ["a large object", LARGE_BYTES],
  ] as const) {
    test(`${name}: lets exactly one of ${RACERS} racers replace ${what} they all have read`, async (t) => {
      const { store, at } = await start(t, open);
      const etag = await store.put(at("k"), bytes("read by all"));
      assert.ok(etag);
      const make = (i: number) => new Uint8Array(size).fill(i);
      const race = Array.from({ length: RACERS }, (_, i) => store.put(at("k"), make(i), { ifMatch: etag }));
      const etags = await Promise.all(race);
      assert.equal(etags.filter((won) => won !== undefined).length, 1);
      const winner = etags.findIndex((won) => won !== undefined);
      assert.deepEqual(await store.get(at("k")), make(winner));
    });
  }

  test(`${name}: loses no update of ${RACERS} writers that read, add and put until it holds`, async (t) => {
    const { store, at } = await start(t, open);
    await store.put(at("count"), bytes("0"));
    const add = async () => {
      for (;;) {
        const found = await store.find(at("count"));
        assert.ok(found);
        const next = bytes(`${Number(text(found.bytes)) + 1}`);
        if (await store.put(at("count"), next, { ifMatch: found.etag })) return;
      }
    };
    await Promise.all(Array.from({ length: RACERS }, add));
    assert.equal(text(await store.get(at("count"))), `${RACERS}`);
  });

  for (const [what, make] of [
    ["small", (fill: number) => new Uint8Array(10).fill(fill)],
    ["of 2 MiB", (fill: number) => new Uint8Array(2 ** 21).fill(fill)],
    ["streamed", (fill: number) => streamed(new Uint8Array(10).fill(fill))],
    ["large and streamed", (fill: number) => streamed(new Uint8Array(LARGE_BYTES).fill(fill))],
  ] as const) {
    test(`${name}: writes nothing when a condition does not hold, ${what}`, async (t) => {
      const { store, at } = await start(t, open);
      const first = await store.put(at("k"), make(1), { ifAbsent: true });
      assert.ok(first);
      assert.equal(await store.put(at("k"), make(2), { ifAbsent: true }), undefined);
      const second = await store.put(at("k"), make(3), { ifMatch: first });
      assert.ok(second);
      assert.equal(await store.put(at("k"), make(4), { ifMatch: first }), undefined);
      assert.equal((await store.get(at("k")))[0], 3);
      await store.delete(at("k"));
      assert.equal(await store.put(at("k"), make(5), { ifMatch: second }), undefined);
      assert.equal(await store.head(at("k")), undefined);
      assert.equal(await store.put(at("k"), make(1), { ifAbsent: true }), first);
    });
  }
};
