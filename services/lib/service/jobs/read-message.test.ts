import assert from "node:assert/strict";
import { test } from "node:test";
import { UnitEvent } from "../../proto/radhical/v1/work.ts";
import { encode } from "../documents.ts";
import { readMessage } from "./read-message.ts";

test("a message is what it says; bytes that mean nothing are an expected failure that does not quote them", () => {
  const event = UnitEvent.fromPartial({ jobId: "a", unit: 3 });
  assert.deepEqual(readMessage(UnitEvent, { topic: "x.events", value: encode(UnitEvent, event) }), event);
  const value = Buffer.from("Smith, John");
  assert.throws(
    () => readMessage(UnitEvent, { topic: "x.events", value }),
    (error: Error & { reason?: string }) =>
      error.reason === "MESSAGE_UNREADABLE" && /topic "x\.events"/.test(error.message) && !/Smith/.test(error.message),
  );
});
