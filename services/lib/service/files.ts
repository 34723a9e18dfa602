/** @file Files over gRPC, in pieces of at most 1 MiB, each file's hash on its last piece. */
import { createHash } from "node:crypto";
import { DomainError, invalid } from "../errors.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import type { FileChunk } from "../proto/radhical/v1/files.ts";
import { sha256 } from "./content-id.ts";

const PIECE_BYTES = 512 * 1024;

/** Yields a buffer in pieces; an empty buffer is one empty piece. */
export function* pieces(bytes: Uint8Array): Generator<Buffer> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let start = 0; start === 0 || start < buffer.length; start += PIECE_BYTES)
    yield buffer.subarray(start, start + PIECE_BYTES);
}

/** Yields stored files as chunks, one file after another. */
export async function* sendFiles(
  objects: ObjectStore,
  files: Iterable<{ readonly path: string; readonly key: string }>,
): AsyncGenerator<{ chunk: FileChunk }> {
  for (const { path, key } of files) {
    const hash = createHash("sha256");
    for await (const part of await objects.stream(key)) {
      if (!(part instanceof Uint8Array)) continue;
      hash.update(part);
      for (const data of pieces(part)) yield { chunk: { path, data, last: false, sha256: "" } };
    }
    yield { chunk: { path, data: Buffer.alloc(0), last: true, sha256: hash.digest("hex") } };
  }
}

/** Yields the parts of an upload: the header, which is `fields` and the hash and size of `bytes`, then their pieces. */
export async function* sendUpload<Fields extends object>(
  bytes: Uint8Array,
  fields: Fields,
): AsyncGenerator<{ part: PartOf<"header", Fields & { sha256: string; size: bigint }> | PartOf<"data", Buffer> }> {
  yield { part: { $case: "header", value: { ...fields, sha256: sha256(bytes), size: BigInt(bytes.length) } } };
  for (const value of pieces(bytes)) yield { part: { $case: "data", value } };
}

type PartOf<Case, Value> = { readonly $case: Case; readonly value: Value };

/** A part of an upload: the header once, then data. */
export type UploadPart<Header> = PartOf<"header", Header> | PartOf<"data", Uint8Array>;

/**
 * Returns the header and the bytes of an upload. `skip` looks at the header and may end the upload early with a result.
 * Throws invalidArgument HASH_MISMATCH, UPLOAD_MALFORMED or resourceExhausted UPLOAD_TOO_LARGE.
 */
export async function receiveUpload<Header extends { readonly sha256: string; readonly size: bigint }>(
  parts: AsyncIterable<{ readonly part?: UploadPart<Header> | undefined }>,
  maxBytes: number,
  skip: (header: Header) => Promise<boolean>,
): Promise<{ readonly header: Header; readonly bytes: Uint8Array | undefined }> {
  let header: Header | undefined;
  let bytes = Buffer.alloc(0);
  let size = 0;
  for await (const { part } of parts) {
    if (part?.$case === "header" && !header) {
      header = part.value;
      if (!/^[0-9a-f]{64}$/.test(header.sha256))
        throw invalid(
          "UPLOAD_MALFORMED",
          `Cannot take an upload whose sha256 is "${header.sha256}": it must be 64 hex digits`,
        );
      if (header.size > BigInt(maxBytes))
        throw new DomainError(
          "resourceExhausted",
          "UPLOAD_TOO_LARGE",
          `Cannot take a file of ${header.size} bytes: the limit is ${maxBytes}`,
        );
      if (await skip(header)) return { header, bytes: undefined };
      bytes = Buffer.allocUnsafeSlow(Math.max(0, Number(header.size)));
    } else if (part?.$case === "data" && header) {
      if (size + part.value.length > bytes.length)
        throw invalid("HASH_MISMATCH", `Cannot take an upload that goes on after its ${header.size} bytes`);
      bytes.set(part.value, size);
      size += part.value.length;
    } else throw invalid("UPLOAD_MALFORMED", "Cannot take an upload that is not one header followed by data");
  }
  if (!header) throw invalid("UPLOAD_MALFORMED", "Cannot take an upload without a header");
  if (size < bytes.length)
    throw invalid("HASH_MISMATCH", `Cannot take an upload that ends after ${size} of its ${header.size} bytes`);
  const actual = sha256(bytes);
  if (actual !== header.sha256)
    throw invalid(
      "HASH_MISMATCH",
      `Cannot take an upload whose bytes have SHA-256 ${actual}: the header says ${header.sha256}`,
    );
  return { header, bytes };
}
