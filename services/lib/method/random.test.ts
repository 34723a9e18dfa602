import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRandom } from "./random.ts";

test("gives the same numbers for the same parts, on any machine", () => {
  const random = createRandom("patches", 7);
  // the values come from a program of its own in another language
  const drawn = [random.next(), random.int(1000), random.normal(), random.int(7)];
  assert.deepEqual(drawn, [0.7852548515929448, 868, 0.11785408552209757, 5]);
});

test("tells seed parts apart by type and by where one ends", () => {
  const first = (...parts: (string | number)[]) => createRandom(...parts).next();
  const values = [first(1, "a"), first("1", "a"), first("1a"), first("1,a"), first("a", 1), first()];
  assert.equal(new Set(values).size, values.length);
});

test("draws uniform integers without bias", () => {
  const random = createRandom("int");
  const counts = new Uint32Array(6);
  for (let i = 0; i < 60_000; i++) counts[random.int(6)]!++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${counts}`);
});

test("draws normal numbers of mean 0 and deviation 1", () => {
  const random = createRandom("normal");
  const values = Float64Array.from({ length: 40_000 }, () => random.normal());
  const mean = values.reduce((a, b) => a + b) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  const within = values.filter((value) => Math.abs(value) < 1).length / values.length;
  assert.ok(Math.abs(mean) < 0.02 && Math.abs(variance - 1) < 0.04 && Math.abs(within - 0.6827) < 0.01);
});

test("samples distinct integers, all of them when as many are asked for", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 300 }), fc.nat(), fc.integer(), (n, wish, seed) => {
      const k = wish % (n + 1);
      const drawn = createRandom(seed).sampleWithoutReplacement(n, k);
      assert.equal(drawn.length, k);
      assert.equal(new Set(drawn).size, k);
      for (const value of drawn) assert.ok(value < n);
      assert.deepEqual(createRandom(seed).sampleWithoutReplacement(n, k), drawn);
    }),
  );
  assert.throws(() => createRandom(1).sampleWithoutReplacement(3, 4), RangeError);
});

test("samples every integer as often, also first", () => {
  const first = new Uint32Array(5);
  const any = new Uint32Array(5);
  for (let seed = 0; seed < 10_000; seed++) {
    const drawn = createRandom("sample", seed).sampleWithoutReplacement(5, 2);
    first[drawn[0]!]!++;
    for (const value of drawn) any[value]!++;
  }
  for (const count of first) assert.ok(Math.abs(count - 2000) < 200, `${first}`);
  for (const count of any) assert.ok(Math.abs(count - 4000) < 250, `${any}`);
});

test("samples few of very many without a table of all", () => {
  const drawn = createRandom(3).sampleWithoutReplacement(4_000_000_000, 1000);
  assert.equal(new Set(drawn).size, 1000);
});

test("shuffles in place, every order as likely", () => {
  const orders = new Map<string, number>();
  for (let seed = 0; seed < 6000; seed++) {
    const values = Uint8Array.of(1, 2, 3);
    createRandom("shuffle", seed).shuffle(values);
    orders.set(`${values}`, (orders.get(`${values}`) ?? 0) + 1);
  }
  assert.equal(orders.size, 6);
  for (const count of orders.values()) assert.ok(Math.abs(count - 1000) < 150);
});
