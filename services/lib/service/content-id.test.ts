/** @file Ids of content: the same everywhere, and different where the content is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contentId, isId, sha256, shortId } from "./content-id.ts";

const parts = fc.array(fc.oneof(fc.string(), fc.nat(), fc.uint8Array({ maxLength: 9 })), { maxLength: 5 });
/** What a list says, whatever the types: a number and its digits are the same part. */
const said = (list: readonly (string | number | Uint8Array)[]): string =>
  JSON.stringify(list.map((part) => Buffer.from(part instanceof Uint8Array ? part : String(part)).toString("hex")));

test("two lists have one id only if they say the same", () => {
  fc.assert(
    fc.property(parts, parts, (a, b) => assert.equal(contentId(...a) === contentId(...b), said(a) === said(b))),
  );
});

test("moving a character from one part to the next changes the id", () => {
  assert.notEqual(contentId("ab", "c"), contentId("a", "bc"));
  assert.notEqual(contentId("1:a"), contentId("", "a"));
});

test("an id stays what it was in earlier versions", () => {
  assert.equal(
    contentId("job", "extraction", 7n, Uint8Array.of(1, 2)),
    shortId(sha256(Buffer.from("3:job10:extraction1:72:\x01\x02"))),
  );
});

test("only 32 hex digits are an id", () => {
  assert.ok(isId(contentId("x")));
  for (const value of [
    "",
    "0".repeat(31),
    "0".repeat(33),
    "G".repeat(32),
    `${"0".repeat(32)}\n`,
    "../../../../../../../../etc/passwd",
  ])
    assert.ok(!isId(value), value);
});
