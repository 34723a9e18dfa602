/** @file What a key may look like. Both adapters check every key and prefix here, so none can leave its place. */
import { invalid } from "../errors.ts";

/** S3's limit for a key, in bytes; keys are ASCII, so characters. */
export const MAX_KEY_LENGTH = 1024;

/** Longest segment: a file name of 255 bytes less the folder adapter's mark. */
export const MAX_SEGMENT_LENGTH = 254;

const SEGMENT = /^[A-Za-z0-9._=-]+$/;
const PREFIX = /^[A-Za-z0-9._=/-]*$/;

const refuse = (key: string, why: string) =>
  invalid("OBJECT_KEY_INVALID", `Cannot use ${JSON.stringify(key)} as an object key: ${why}`);

const checkSegment = (segment: string, key: string): void => {
  if (segment === "") throw refuse(key, "a segment is empty; give at least one character between slashes");
  if (segment === "." || segment === "..") throw refuse(key, `the segment "${segment}" would leave its prefix`);
  if (!SEGMENT.test(segment)) throw refuse(key, "a segment has characters other than A-Z a-z 0-9 . _ = -");
  if (segment.length > MAX_SEGMENT_LENGTH) throw refuse(key, `a segment is over ${MAX_SEGMENT_LENGTH} characters long`);
};

/**
 * Returns the parts joined by "/": the one way to build an object key. A part is a segment or a key prefix with "/"
 * between its segments. Throws invalidArgument OBJECT_KEY_INVALID for a part that is empty, begins or ends with "/",
 * or holds "." or ".." or a character other than A-Z a-z 0-9 . _ = - in a segment, and for a key that is too long.
 */
export const objectKey = (...parts: readonly string[]): string => {
  const key = parts.join("/");
  if (parts.length === 0) throw refuse(key, "it has no parts");
  for (const part of parts) for (const segment of part.split("/")) checkSegment(segment, key);
  if (key.length > MAX_KEY_LENGTH) throw refuse(key, `it is over ${MAX_KEY_LENGTH} characters long`);
  return key;
};

/**
 * Returns a listing prefix once it is known to be harmless: empty, or the beginning of a key, which may end within a
 * segment or with "/". Throws invalidArgument OBJECT_KEY_INVALID otherwise.
 */
export const objectPrefix = (prefix: string): string => {
  const folders = prefix.split("/").slice(0, -1);
  for (const segment of folders) checkSegment(segment, prefix);
  if (!PREFIX.test(prefix)) throw refuse(prefix, "a segment has characters other than A-Z a-z 0-9 . _ = -");
  if (prefix.length > MAX_KEY_LENGTH) throw refuse(prefix, `it is over ${MAX_KEY_LENGTH} characters long`);
  return prefix;
};
