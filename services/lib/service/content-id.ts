/** @file Ids that are functions of content, so that the same inputs give the same keys anywhere and at any time. */
import { createHash } from "node:crypto";
import { sha256Hex } from "../objects/checked-body.ts";

/** Returns the SHA-256 of the bytes, hex. */
export const sha256 = (bytes: Uint8Array): string => sha256Hex(bytes);

/** Returns the first 32 hex digits of a SHA-256: the length of every opaque id. */
export const shortId = (hash: string): string => hash.slice(0, 32);

/** Returns an id of a list of parts; no two different lists share their hashed form. */
export function contentId(...parts: readonly (string | number | bigint | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = part instanceof Uint8Array ? part : Buffer.from(String(part));
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return shortId(hash.digest("hex"));
}

const ID = /^[0-9a-f]{32}$/;

/** Says whether a string has the form of an id, so that nothing else ever becomes part of an object key. */
export const isId = (value: string): boolean => ID.test(value);
