/** @file SHA-256 at both ends of a stream: what is stored is what was announced, what is read is what was stored. */
import { createHash } from "node:crypto";
import { pipeline, type Readable, Transform } from "node:stream";
import { bodyMismatch, objectCorrupt } from "./object-errors.ts";
import type { StreamBody } from "./object-store.ts";

/** OpenSSL takes less than 2 GiB at a time. */
const HASHED_AT_ONCE = 2 ** 30;

/** Returns the SHA-256 of the bytes, hex. */
export function sha256Hex(bytes: Uint8Array): string {
  const hash = createHash("sha256");
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) hash.update(bytes.subarray(at, at + HASHED_AT_ONCE));
  return hash.digest("hex");
}

/**
 * Yields the body's bytes, the last chunk only once size and SHA-256 have turned out right: a receiver that waits for
 * `size` bytes never gets a whole wrong body. Throws OBJECT_BODY_MISMATCH, or what the stream throws.
 */
export async function* verifiedBody(key: string, body: StreamBody): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash("sha256");
  let size = 0;
  let held: Uint8Array | undefined;
  for await (const chunk of body.stream as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > body.size) throw bodyMismatch(key, `its stream has more than the ${body.size} bytes announced`);
    hash.update(chunk);
    if (held) yield held;
    held = chunk;
  }
  if (size !== body.size) throw bodyMismatch(key, `its stream has ${size} bytes and not the ${body.size} announced`);
  const actual = hash.digest("hex");
  if (actual !== body.sha256) throw bodyMismatch(key, `its stream hashes to ${actual} and not to ${body.sha256}`);
  if (held) yield held;
}

/**
 * Returns a stream of the source's bytes that fails with OBJECT_CORRUPT instead of ending if they hash to something
 * else. The source's own errors pass through `translate`; destroying the result destroys the source.
 */
export const checkedStream = (
  key: string,
  source: Readable,
  sha256: string,
  translate: (error: Error) => Error,
): Readable => {
  const hash = createHash("sha256");
  const check = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done) {
      const actual = hash.digest("hex");
      done(actual === sha256 ? null : objectCorrupt(key, `its bytes hash to ${actual} and not to ${sha256}`));
    },
  });
  // Before pipeline, which would hand on the error as it is.
  source.on("error", (error) => check.destroy(translate(error)));
  pipeline(source, check, () => {});
  return check;
};
