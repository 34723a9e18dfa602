/** @file What the tests of the contract are written with. */
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { TestContext } from "node:test";
import { DomainError } from "../errors.ts";
import { sha256Hex } from "./checked-body.ts";
import { objectKey } from "./object-key.ts";
import type { ObjectStore, StreamBody } from "./object-store.ts";

/** A store under test, closed by whoever opened it, and a way to spoil an object behind its back. */
export interface StoreUnderTest {
  readonly store: ObjectStore;
  /** Replaces the object's bytes by others of the same length and leaves what was noted about them as it is. */
  corrupt(key: string): Promise<void>;
}

/** Opens a store; the keys of other tests may be in it. */
export type OpenStore = (t: TestContext) => Promise<StoreUnderTest>;

/** More than a part of an S3 upload in the tests. */
export const LARGE_BYTES = 6 * 2 ** 20;

/** Returns the text in UTF-8. */
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Returns the bytes as UTF-8 text. */
export const text = (content: Uint8Array): string => new TextDecoder().decode(content);

/** Returns whether an error is the DomainError with this reason, and of this kind if one is given. */
export const failsWith = (reason: string, kind?: string) => (error: unknown) =>
  error instanceof DomainError && error.reason === reason && (kind === undefined || error.kind === kind);

/** Returns the content as a stream with its size and hash. */
export const streamed = (content: Uint8Array, chunkBytes = 65_536): StreamBody => {
  const chunks = Array.from({ length: Math.ceil(content.length / chunkBytes) }, (_, i) =>
    content.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  );
  return { stream: Readable.from(chunks, { objectMode: false }), size: content.length, sha256: sha256Hex(content) };
};

/** Returns the listed keys. */
export const keysOf = async (store: ObjectStore, prefix: string): Promise<string[]> => {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
};

/** Returns a store and `at`, which puts keys under a prefix of this test's own. */
export const start = async (t: TestContext, open: OpenStore) => {
  const under = await open(t);
  const prefix = `t-${randomBytes(6).toString("hex")}`;
  return { ...under, prefix, at: (...parts: readonly string[]) => objectKey(prefix, ...parts) };
};
