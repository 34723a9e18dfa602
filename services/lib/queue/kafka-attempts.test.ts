import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createKafkaAttempts, decodeAttempt, encodeAttempt } from "./kafka-attempts.ts";

test("reads back the attempt of the offset it was written for, and of no other", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.nat(), (offset, attempt) => {
      const metadata = encodeAttempt(String(offset), attempt);
      assert.equal(decodeAttempt(metadata, String(offset)), attempt);
      assert.equal(decodeAttempt(metadata, String(offset + 1n)), 0);
    }),
  );
});

test("takes metadata that is not ours for no attempt", () => {
  for (const metadata of [
    null,
    "",
    "not JSON",
    "7",
    '{"offset":"5"}',
    '{"offset":"5","attempt":-1}',
    '{"offset":"5","attempt":"2"}',
  ]) {
    assert.equal(decodeAttempt(metadata, "5"), 0);
  }
});

test("asks for the commit once per partition and assignment, and counts later offsets as never started", async () => {
  let asked = 0;
  const fetchOffsets = async () => {
    asked += 1;
    return [{ topic: "t", partitions: [{ partition: 1, offset: "5", metadata: encodeAttempt("5", 2) }] }];
  };
  const attempts = createKafkaAttempts({ fetchOffsets }, "g");
  const first = await attempts.tallyOf("t", 1, "5");
  assert.equal(first.deaths, 2);
  first.deaths = 0;
  assert.equal((await attempts.tallyOf("t", 1, "5")).deaths, 0);
  assert.equal((await attempts.tallyOf("t", 1, "6")).deaths, 0);
  assert.equal(asked, 1);
  attempts.forget();
  assert.equal((await attempts.tallyOf("t", 1, "5")).deaths, 2);
  assert.equal(asked, 2);
});
