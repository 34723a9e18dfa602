import assert from "node:assert/strict";
import { test } from "node:test";
import { type Benchmark, measure, spread } from "./measure.ts";

test("a spread is the median and the range", () => {
  assert.deepEqual(spread([5, 1, 3]), { median: 3, least: 1, most: 5 });
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 });
});

test("ratios are taken within a round, the first round does not count, and the benchmark is closed", async () => {
  const seen: number[] = [];
  let isClosed = false;
  const benchmark: Benchmark = {
    name: "example",
    unit: "piece",
    ratios: [
      { name: "a / b", of: "a", to: "b", by: "rate" },
      { name: "a's share", of: "a", to: "b", by: "seconds" },
      { name: "a's work", of: "a", to: "b", by: "amount" },
      { name: "a's memory", of: "a", to: "b", by: "peak" },
    ],
    open: async () => ({
      // every round is slower than the one before, and b always takes twice as long for half as much
      round: async (n) => {
        seen.push(n);
        return {
          a: { amount: 10, seconds: n + 1, peakBytes: 3e6 },
          b: { amount: 5, seconds: 2 * (n + 1), peakBytes: 6e6 },
          c: { amount: 1, seconds: 1 },
        };
      },
      close: async () => {
        isClosed = true;
      },
    }),
  };
  const result = await measure(benchmark, 3);
  assert.deepEqual(seen, [0, 1, 2, 3]);
  assert.equal(isClosed, true);
  assert.deepEqual(result.ratios, [
    { name: "a / b", median: 4, least: 4, most: 4 },
    { name: "a's share", median: 0.5, least: 0.5, most: 0.5 },
    { name: "a's work", median: 2, least: 2, most: 2 },
    { name: "a's memory", median: 0.5, least: 0.5, most: 0.5 },
  ]);
  assert.deepEqual(
    result.rates.map(({ name, median }) => [name, median]),
    [
      ["a", 10 / 3],
      ["b", 5 / 6],
      ["c", 1],
    ],
  );
  assert.deepEqual(
    result.peaks.map(({ name, median }) => [name, median]),
    [
      ["a", 3],
      ["b", 6],
    ],
  );
});
