/**
 * @file A put on S3 by one PUT request, streamed without buffering. Larger objects go in parts (`s3-multipart.ts`); minio-js's own
 * `putObject` would do for neither: it reads a stream into memory, sends the condition with the request that begins an upload in
 * parts and not with the one that completes it, so that of several writers the last wins, and two writers of a key may end up in
 * one upload.
 */
import { Readable } from "node:stream";
import type { Client } from "minio";
import { invalid } from "../errors.ts";
import { sha256Hex, verifiedBody } from "./checked-body.ts";
import { bodySize, isStreamBody } from "./guarded-store.ts";
import type { PutCondition, StreamBody } from "./object-store.ts";
import { isConditionFailed, isMissing, s3Failure } from "./s3-failure.ts";

/** S3's limit for one PUT request. */
const MAX_PUT_BYTES = 5 * 2 ** 30;

/** Object metadata that holds the content's SHA-256, hex. */
export const SHA256_HEADER = "x-amz-meta-sha256";

/** Returns an ETag as the port gives it: without the quotes. */
export const plainETag = (etag: string | undefined): string => (etag ?? "").replace(/^"|"$/g, "");

interface Upload {
  readonly body: Buffer | Readable;
  readonly size: number;
  readonly sha256: string;
  /** What went wrong with the body itself, as against the connection. */
  readonly bodyError: () => unknown;
}

const openUpload = async (key: string, body: Uint8Array | StreamBody): Promise<Upload> => {
  if (!isStreamBody(body)) {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    return { body: bytes, size: bytes.length, sha256: sha256Hex(bytes), bodyError: () => undefined };
  }
  const { size, sha256 } = body;
  let bodyError: unknown;
  async function* watched() {
    try {
      yield* verifiedBody(key, body as StreamBody);
    } catch (thrown) {
      bodyError = thrown;
      throw thrown;
    }
  }
  const stream = Readable.from(watched(), { objectMode: false });
  if (size > 0) return { body: stream, size, sha256, bodyError: () => bodyError };
  // No byte to hold back from the server until the stream has proved to be empty.
  for await (const _ of stream);
  return { body: Buffer.alloc(0), size, sha256, bodyError: () => undefined };
};

/** What a put is of. */
export interface S3Target {
  readonly client: Client;
  readonly bucket: string;
  readonly key: string;
}

/** Returns the headers that go with an object's bytes. */
export const objectHeaders = (sha256: string): Record<string, string> => ({
  "content-type": "application/octet-stream",
  [SHA256_HEADER]: sha256,
});

/** Returns the headers by which the server checks the condition. */
export const conditionHeaders = (condition: PutCondition | undefined): Record<string, string> => {
  if (!condition) return {};
  return "ifAbsent" in condition ? { "if-none-match": "*" } : { "if-match": `"${condition.ifMatch}"` };
};

/** Whether what a request with this condition threw says that the condition did not hold. */
export const isConditionLost = (condition: PutCondition | undefined, thrown: unknown): boolean =>
  // With If-Match some servers answer that there is no such object instead of 412.
  condition !== undefined && (isConditionFailed(thrown) || ("ifMatch" in condition && isMissing(thrown)));

/**
 * Stores the object and returns its ETag, or undefined if the condition did not hold. Throws invalidArgument
 * OBJECT_TOO_LARGE over 5 GiB, OBJECT_BODY_MISMATCH, what the body's stream throws, and `s3Failure`s.
 */
export const putOnce = async (
  { client, bucket, key }: S3Target,
  source: Uint8Array | StreamBody,
  condition: PutCondition | undefined,
): Promise<string | undefined> => {
  const size = bodySize(source);
  if (size > MAX_PUT_BYTES) {
    const why = `its ${size} bytes are over S3's 5 GiB for one put, and the server checks no condition of one in parts`;
    throw invalid("OBJECT_TOO_LARGE", `Cannot store object "${key}": ${why}`);
  }
  const upload = await openUpload(key, source);
  const headers = {
    "content-length": `${upload.size}`,
    // The server's own check, also where the signature does not cover the body: versitygw otherwise stores what it got of
    // a body that broke off.
    "x-amz-checksum-sha256": Buffer.from(upload.sha256, "hex").toString("base64"),
    ...objectHeaders(upload.sha256),
    ...conditionHeaders(condition),
  };
  // Over plain HTTP the signature covers the body and the server checks the hash, too; over TLS minio-js wants none.
  const signed = client.enableSHA256 ? upload.sha256 : "";
  try {
    const request = { method: "PUT", bucketName: bucket, objectName: key, headers };
    const response = await client.makeRequestStreamAsync(request, upload.body, signed, [200], "");
    response.resume();
    return plainETag(response.headers.etag);
  } catch (thrown) {
    if (upload.bodyError() !== undefined) throw upload.bodyError();
    if (isConditionLost(condition, thrown)) return undefined;
    throw s3Failure(`store object "${key}"`, thrown, { bucket, key });
  }
};
