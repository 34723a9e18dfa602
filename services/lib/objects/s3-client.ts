/** @file The connection to an S3 server: the endpoint's address, the client, the bucket. */
import http from "node:http";
import https from "node:https";
import { Client, S3Error } from "minio";
import { DomainError, invalid } from "../errors.ts";
import { s3Failure } from "./s3-failure.ts";
import { impatientTransport } from "./s3-transport.ts";

/** How to reach a bucket. */
export interface S3Options {
  /** "http://host:port" or "https://host". */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  /** Make the bucket if there is none; default false. */
  readonly createBucket?: boolean;
  /** A request fails if nothing has moved for this long; default one minute. */
  readonly timeoutMs?: number;
}

const parseEndpoint = (endpoint: string): URL => {
  const refuse = (cause?: unknown) =>
    invalid(
      "S3_ENDPOINT_INVALID",
      `Cannot use ${JSON.stringify(endpoint)} as S3 endpoint: give "http://host:port" or "https://host", no path`,
      cause,
    );
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch (thrown) {
    throw refuse(thrown);
  }
  const isPlain = url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (!isPlain || (url.protocol !== "http:" && url.protocol !== "https:")) throw refuse();
  return url;
};

/** Returns a client of the endpoint. It never tries again by itself: the caller knows whether that is safe. */
export const createS3Client = (options: Omit<S3Options, "bucket" | "createBucket">): Client => {
  const url = parseEndpoint(options.endpoint);
  const useSSL = url.protocol === "https:";
  try {
    return new Client({
      endPoint: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? (useSSL ? 443 : 80) : Number(url.port),
      useSSL,
      region: options.region,
      accessKey: options.accessKey,
      secretKey: options.secretKey,
      transport: impatientTransport(useSSL ? https : http, options.timeoutMs ?? 60_000),
      retryOptions: { disableRetry: true },
    });
  } catch (thrown) {
    throw invalid("S3_ENDPOINT_INVALID", `Cannot use ${JSON.stringify(options.endpoint)} as S3 endpoint`, thrown);
  }
};

const isMadeByAnother = (thrown: unknown) => thrown instanceof S3Error && thrown.code === "BucketAlreadyOwnedByYou";

/** Makes sure that the bucket is there. Throws failedPrecondition BUCKET_NOT_FOUND or OBJECT_STORE_DENIED. */
export const ensureBucket = async (client: Client, bucket: string, create: boolean): Promise<void> => {
  try {
    if (await client.bucketExists(bucket)) return;
    if (!create) {
      const message = `Cannot use bucket "${bucket}": there is none; run radhical provision, or check S3_BUCKET`;
      throw new DomainError("failedPrecondition", "BUCKET_NOT_FOUND", message);
    }
    await client.makeBucket(bucket);
  } catch (thrown) {
    if (isMadeByAnother(thrown)) return;
    throw s3Failure(`open bucket "${bucket}"`, thrown, { bucket });
  }
};
