/**
 * @file The object port. Everything that outlives a process goes through it: images, patches, models, maps, job state.
 * Two adapters implement it (folder, S3); `object-store.contract.ts` holds what both must do.
 */
import type { Readable } from "node:stream";

/** Metadata of a stored object. */
export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  /** Changes whenever the object's content changes; opaque. */
  readonly etag: string;
}

/** A body that is too large for memory: its size and hash are known before the first byte is sent. */
export interface StreamBody {
  readonly stream: Readable;
  readonly size: number;
  /** SHA-256, hex. A stream with other bytes is refused and nothing is stored. */
  readonly sha256: string;
}

/** Write only if the key is free, or only if the object still has this ETag. */
export type PutCondition = { readonly ifAbsent: true } | { readonly ifMatch: string };

/**
 * Objects under keys ("a/b/c", see `objectKey`). A put is atomic: readers see the old object, the new one or none,
 * never a part. Content is checked against the SHA-256 taken when it was stored.
 */
export interface ObjectStore {
  /** Returns the object's bytes. Throws DomainError notFound (OBJECT_NOT_FOUND) or dataLoss (OBJECT_CORRUPT). */
  get(key: string): Promise<Uint8Array>;
  /** Returns the bytes and the ETag they belong to, or undefined if there is no object. */
  find(key: string): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | undefined>;
  /** Returns a stream of the object's bytes that fails at its end if they are corrupt. Throws OBJECT_NOT_FOUND. */
  stream(key: string): Promise<Readable>;
  /** Returns size and ETag, or undefined if there is no object. */
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Stores the object. Returns its ETag, or undefined if the condition did not hold (nothing is written then). */
  put(key: string, body: Uint8Array | StreamBody, condition?: PutCondition): Promise<string | undefined>;
  /** Yields objects whose key starts with `prefix`, in key order. */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Removes the object; removing nothing is fine. */
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}
