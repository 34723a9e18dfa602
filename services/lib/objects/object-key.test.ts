import assert from "node:assert/strict";
import { posix } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { DomainError } from "../errors.ts";
import { MAX_KEY_LENGTH, MAX_SEGMENT_LENGTH, objectKey, objectPrefix } from "./object-key.ts";

const refusal = (error: unknown) =>
  error instanceof DomainError && error.kind === "invalidArgument" && error.reason === "OBJECT_KEY_INVALID";

/** Strings that are likely to break a key: valid pieces, dots, slashes and anything else. */
const hostile = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom("a", "B7", ".", "..", "/", "\\", "=", "_", "-", "%2e", "~", "\0", "\n", " "), {
      maxLength: 8,
    })
    .map((x) => x.join("")),
);
const segment = fc
  .string({ unit: fc.constantFrom(..."abzAZ09._=-"), minLength: 1, maxLength: 20 })
  .filter((x) => x !== "." && x !== "..");

test("joins segments and prefixes", () => {
  assert.equal(objectKey("jobs", "training", "t-1.2", "job"), "jobs/training/t-1.2/job");
  assert.equal(objectKey("jobs/training", "t-1.2/job"), "jobs/training/t-1.2/job");
  assert.equal(objectKey("a"), "a");
  assert.equal(objectKey("..a", "a..", "..."), "..a/a../...");
});

test("refuses parts that could leave their prefix or mean something to a file system", () => {
  const bad = [
    "",
    ".",
    "..",
    "/",
    "a/",
    "/a",
    "a//b",
    "a/../b",
    "a/.",
    "a\\b",
    "a\0",
    "a\n",
    "a b",
    "é",
    "a~",
    "%2e%2e",
    "C:",
    "a*",
  ];
  for (const part of bad) {
    assert.throws(() => objectKey(part), refusal, JSON.stringify(part));
    assert.throws(() => objectKey("jobs", part), refusal, JSON.stringify(part));
    assert.throws(() => objectKey(part, "jobs"), refusal, JSON.stringify(part));
  }
  assert.throws(() => objectKey(), refusal);
});

test("takes keys and segments up to their limits and not beyond", () => {
  const longest = "s".repeat(MAX_SEGMENT_LENGTH);
  assert.equal(objectKey(longest), longest);
  assert.throws(() => objectKey(`${longest}s`), refusal);
  const key = `${Array(4).fill(longest).join("/")}/k`.padEnd(MAX_KEY_LENGTH, "k");
  assert.equal(objectKey(key).length, MAX_KEY_LENGTH);
  assert.throws(() => objectKey(`${key}k`), refusal);
});

test("never leaves the prefix that its first part names, whatever the other parts are", () => {
  let built = 0;
  fc.assert(
    fc.property(segment, fc.array(fc.oneof(segment, hostile), { minLength: 1, maxLength: 4 }), (first, rest) => {
      let key: string;
      try {
        key = objectKey(first, ...rest);
      } catch (error) {
        return refusal(error);
      }
      built++;
      assert.ok(key.startsWith(`${first}/`));
      assert.equal(posix.normalize(key), key);
      assert.equal(objectKey(key), key);
      return objectPrefix(key) === key;
    }),
    { numRuns: 500 },
  );
  assert.ok(built > 20, "the property was hardly tried");
});

test("takes listing prefixes that end anywhere and refuses those that climb", () => {
  for (const prefix of ["", "j", "jobs/", "jobs/tr", "jobs/."]) assert.equal(objectPrefix(prefix), prefix);
  for (const prefix of ["/", "../", "a/../", "a//", "a\\", "a/é", "./a", "a~"]) {
    assert.throws(() => objectPrefix(prefix), refusal, JSON.stringify(prefix));
  }
});
