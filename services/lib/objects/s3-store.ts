/** @file Objects in a bucket of any S3 server, by minio-js. */
import type { IncomingMessage } from "node:http";
import type { Client } from "minio";
import { checkedStream, sha256Hex } from "./checked-body.ts";
import { bodySize, guardStore, type ObjectAdapter } from "./guarded-store.ts";
import { objectCorrupt } from "./object-errors.ts";
import type { ObjectInfo, ObjectStore, PutCondition } from "./object-store.ts";
import { createS3Client, ensureBucket, type S3Options } from "./s3-client.ts";
import { isMissing, s3Failure } from "./s3-failure.ts";
import { checksAtCompletion, putInParts } from "./s3-multipart.ts";
import { plainETag, putOnce, SHA256_HEADER } from "./s3-put.ts";

const PAGE = 1000;
const DEFAULT_PART_BYTES = 64 * 2 ** 20;
/** From this size on a conditional put asks first: refusing it afterwards would cost the whole upload. */
const ASK_FIRST_BYTES = 2 ** 20;

const storedSha256 = (response: IncomingMessage, key: string): string => {
  const sha256 = response.headers[SHA256_HEADER];
  if (typeof sha256 === "string") return sha256;
  response.destroy();
  throw objectCorrupt(key, "it has no SHA-256 in its metadata, so something else has stored it");
};

const readAll = async (response: IncomingMessage): Promise<Uint8Array> => {
  const bytes = new Uint8Array(Number(response.headers["content-length"]));
  let offset = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
};

const findObject = async (client: Client, bucket: string, key: string) => {
  const response = await client.makeRequestAsync({ method: "GET", bucketName: bucket, objectName: key });
  const expected = storedSha256(response, key);
  const bytes = await readAll(response);
  const actual = sha256Hex(bytes);
  if (actual !== expected) throw objectCorrupt(key, `its bytes hash to ${actual} and not to ${expected}`);
  return { bytes, etag: plainETag(response.headers.etag) };
};

async function* listPages(client: Client, bucket: string, prefix: string): AsyncGenerator<ObjectInfo, void, undefined> {
  let after = "";
  for (;;) {
    // By the last key and not by minio-js's stream, whose token may be mangled by its XML parser if it is a number.
    const page = await client.listObjectsV2Query(bucket, prefix, "", "", PAGE, after);
    for (const { name, size, etag } of page.objects) {
      if (name === undefined) continue;
      after = name;
      yield { key: name, size, etag: plainETag(etag) };
    }
    if (!page.isTruncated || page.objects.length === 0) return;
  }
}

const s3Adapter = (client: Client, bucket: string, partBytes: number): ObjectAdapter => {
  const attempt = async <T>(verb: string, key: string, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (thrown) {
      throw s3Failure(`${verb} object "${key}"`, thrown, { bucket, key });
    }
  };
  const orUndefined = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await call();
    } catch (thrown) {
      if (isMissing(thrown)) return undefined;
      throw thrown;
    }
  };
  const head = (key: string) =>
    attempt("read", key, () =>
      orUndefined(async (): Promise<ObjectInfo> => {
        const { size, etag } = await client.statObject(bucket, key);
        return { key, size, etag: plainETag(etag) };
      }),
    );

  let probe: Promise<boolean> | undefined;
  const mayPutInParts = (condition: PutCondition | undefined): Promise<boolean> | true => {
    if (!condition) return true;
    probe ??= attempt("store", "radhical-probe", () => checksAtCompletion({ client, bucket })).catch(
      (thrown: unknown) => {
        probe = undefined; // the next put asks again
        throw thrown;
      },
    );
    return probe;
  };
  const put: ObjectAdapter["put"] = async (key, body, condition) => {
    const size = bodySize(body);
    if (condition && size >= ASK_FIRST_BYTES) {
      const etag = (await head(key))?.etag;
      if (etag !== ("ifMatch" in condition ? condition.ifMatch : undefined)) return undefined;
    }
    const target = { client, bucket, key };
    const inParts = size > partBytes && (await mayPutInParts(condition));
    return inParts ? putInParts(target, body, condition, partBytes) : putOnce(target, body, condition);
  };
  const stream = async (key: string) => {
    const response = await client.getObject(bucket, key);
    // getObject promises a Readable and returns the answer it reads.
    const sha256 = storedSha256(response as IncomingMessage, key);
    return checkedStream(key, response, sha256, (error) => {
      const failure = s3Failure(`read object "${key}"`, error, { bucket, key });
      return failure instanceof Error ? failure : error;
    });
  };
  async function* list(prefix: string): AsyncIterable<ObjectInfo> {
    try {
      yield* listPages(client, bucket, prefix);
    } catch (thrown) {
      throw s3Failure(`list objects "${prefix}"`, thrown, { bucket });
    }
  }
  return {
    find: (key) => attempt("read", key, () => orUndefined(() => findObject(client, bucket, key))),
    stream: (key) => attempt("read", key, () => stream(key)),
    head,
    put,
    list,
    delete: (key) => attempt("delete", key, () => client.removeObject(bucket, key)),
    close: async () => {},
  };
};

/**
 * Returns the objects in a bucket. Throws failedPrecondition BUCKET_NOT_FOUND or OBJECT_STORE_DENIED, invalidArgument
 * S3_ENDPOINT_INVALID, unavailable OBJECT_STORE_UNAVAILABLE.
 */
export const openS3Store = async (options: S3Options): Promise<ObjectStore> => {
  const client = createS3Client(options);
  await ensureBucket(client, options.bucket, options.createBucket ?? false);
  return guardStore(s3Adapter(client, options.bucket, options.partBytes ?? DEFAULT_PART_BYTES));
};
