/**
 * @file A put of a large object: an upload in parts that becomes the object when it is completed, and then only if the condition
 * holds. Whatever ends it otherwise aborts it, and readers never see a part.
 */
import { randomUUID } from "node:crypto";
import { text } from "node:stream/consumers";
import { S3Error } from "minio";
import { sha256Hex, verifiedBody } from "./checked-body.ts";
import { bodySize, isStreamBody } from "./guarded-store.ts";
import type { PutCondition, StreamBody } from "./object-store.ts";
import { s3Failure } from "./s3-failure.ts";
import { conditionHeaders, isConditionLost, objectHeaders, plainETag, putOnce, type S3Target } from "./s3-put.ts";

/** S3's limit. */
const MAX_PARTS = 10_000;

/** Returns the size of the parts of an object: as wanted, or as many bytes more as it takes not to be too many. */
export const partBytesFor = (size: number, wanted: number): number => Math.max(wanted, Math.ceil(size / MAX_PARTS));

/** Yields the body in parts of `partBytes`, the last one of what remains. A part of a stream is good until the next is asked for. */
async function* partsOf(key: string, body: Uint8Array | StreamBody, partBytes: number): AsyncGenerator<Buffer> {
  if (!isStreamBody(body)) {
    for (let at = 0; at < body.length; at += partBytes) {
      yield Buffer.from(body.buffer, body.byteOffset + at, Math.min(partBytes, body.length - at));
    }
    return;
  }
  const part = Buffer.allocUnsafe(partBytes);
  let filled = 0;
  for await (const chunk of verifiedBody(key, body)) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(partBytes - filled, chunk.length - at);
      part.set(chunk.subarray(at, at + taken), filled);
      at += taken;
      filled += taken;
      if (filled < partBytes) continue;
      yield part;
      filled = 0;
    }
  }
  if (filled > 0) yield part.subarray(0, filled);
}

/** An upload that has begun. */
interface Upload extends S3Target {
  readonly id: string;
}

const uploadPart = async ({ client, bucket, key, id }: Upload, number: number, part: Buffer): Promise<string> => {
  const query = `partNumber=${number}&uploadId=${encodeURIComponent(id)}`;
  const response = await client.makeRequestAsync({ method: "PUT", bucketName: bucket, objectName: key, query }, part);
  response.resume();
  return plainETag(response.headers.etag);
};

/** Returns the ETag of the object that the parts have become. The answer may say 200 and tell of a failure in its body. */
const complete = async (
  { client, bucket, key, id }: Upload,
  etags: readonly string[],
  condition: PutCondition | undefined,
): Promise<string> => {
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>"${etag}"</ETag></Part>`);
  const xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
  const body = `<CompleteMultipartUpload xmlns="${xmlns}">${parts.join("")}</CompleteMultipartUpload>`;
  const query = `uploadId=${encodeURIComponent(id)}`;
  const headers = conditionHeaders(condition);
  const request = { method: "POST", bucketName: bucket, objectName: key, query, headers };
  const answer = await text(await client.makeRequestAsync(request, body));
  const code = /<Code>([^<]*)<\/Code>/.exec(answer)?.[1];
  if (code !== undefined) throw Object.assign(new S3Error(/<Message>([^<]*)<\/Message>/.exec(answer)?.[1]), { code });
  const etag = /<ETag>(?:"|&quot;|&#34;)?([^<"&]+)/.exec(answer)?.[1];
  if (etag === undefined) throw new Error("The object store completed an upload and gave no ETag");
  return etag;
};

/**
 * Stores the object in parts and returns its ETag, or undefined if the condition did not hold at the end. Holds one part of a
 * stream in memory. Throws OBJECT_BODY_MISMATCH, what the body's stream throws, and `s3Failure`s.
 */
export const putInParts = async (
  target: S3Target,
  body: Uint8Array | StreamBody,
  condition: PutCondition | undefined,
  partBytes: number,
): Promise<string | undefined> => {
  const { client, bucket, key } = target;
  const attempt = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (thrown) {
      throw s3Failure(`store object "${key}"`, thrown, { bucket, key });
    }
  };
  const headers = objectHeaders(isStreamBody(body) ? body.sha256 : sha256Hex(body));
  const id = await attempt(() => client.initiateNewMultipartUpload(bucket, key, headers));
  const upload = { ...target, id };
  let etag: string | undefined;
  try {
    const etags: string[] = [];
    for await (const part of partsOf(key, body, partBytesFor(bodySize(body), partBytes))) {
      etags.push(await attempt(() => uploadPart(upload, etags.length + 1, part)));
    }
    etag = await attempt(() =>
      complete(upload, etags, condition).catch((thrown: unknown) => {
        if (isConditionLost(condition, thrown)) return undefined;
        throw thrown;
      }),
    );
    return etag;
  } finally {
    // What went wrong before is what the caller should hear of. An upload that cannot be aborted now is left to the server's own rule.
    if (etag === undefined) await client.abortMultipartUpload(bucket, key, id).catch(() => undefined);
  }
};

/**
 * Returns whether the server checks the condition of a put in parts when it is completed, by trying it on an object of its own. A
 * server that does not would let the last of several writers win.
 */
export const checksAtCompletion = async (target: Omit<S3Target, "key">): Promise<boolean> => {
  const probe = { ...target, key: `radhical-probe-${randomUUID()}` };
  await putOnce(probe, new Uint8Array(0), undefined);
  try {
    return (await putInParts(probe, new Uint8Array(1), { ifAbsent: true }, 1)) === undefined;
  } finally {
    await target.client.removeObject(target.bucket, probe.key);
  }
};
