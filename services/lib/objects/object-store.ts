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
 * never a part. Content is checked against the SHA-256 taken when it was stored. Every call throws DomainError
 * invalidArgument (OBJECT_KEY_INVALID), failedPrecondition (OBJECT_STORE_CLOSED, OBJECT_STORE_DENIED) and unavailable
 * (OBJECT_STORE_UNAVAILABLE: worth making again; a put may or may not have taken effect).
 */
export interface ObjectStore {
  /**
   * Returns the bytes of the object; they fill an ArrayBuffer of their own. Throws DomainError notFound (OBJECT_NOT_FOUND) or
   * dataLoss (OBJECT_CORRUPT).
   */
  get(key: string): Promise<Uint8Array>;
  /** Returns the bytes and the ETag they belong to, or undefined if there is no object. */
  find(key: string): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | undefined>;
  /** Returns a stream of the object's bytes that fails at its end if they are corrupt. Throws OBJECT_NOT_FOUND. */
  stream(key: string): Promise<Readable>;
  /** Returns size and ETag, or undefined if there is no object. */
  head(key: string): Promise<ObjectInfo | undefined>;
  /**
   * Stores the object. Returns its ETag, or undefined if the condition did not hold (nothing is written then). A
   * stream is consumed or destroyed in any case. Throws invalidArgument (OBJECT_BODY_MISMATCH, OBJECT_TOO_LARGE: over
   * the server's limit, or over 5 GiB where it checks no condition of a put in parts) and resourceExhausted (DISK_FULL).
   */
  put(key: string, body: Uint8Array | StreamBody, condition?: PutCondition): Promise<string | undefined>;
  /**
   * Yields objects whose key starts with `prefix`, in byte order of the keys. Do not rely on it for an object below
   * another's key ("a/b/c" beside "a/b"): MinIO stores both and lists one.
   */
  list(prefix: string): AsyncIterable<ObjectInfo>;
  /** Removes the object; removing nothing is fine. */
  delete(key: string): Promise<void>;
  /** Lets the calls that are running end; every later one is refused. */
  close(): Promise<void>;
}
