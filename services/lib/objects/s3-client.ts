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
  /** PEM of the authorities that may vouch for an https endpoint; default: the system's. */
  readonly ca?: string | undefined;
  /** The bucket goes into the path of a request (default), or in front of the endpoint's host name. Amazon's is always the latter. */
  readonly pathStyle?: boolean;
  /** Make the bucket if there is none; default false. */
  readonly createBucket?: boolean;
  /** A request fails if nothing has moved for this long; default one minute. */
  readonly timeoutMs?: number;
  /** A larger object travels in parts of this size, or larger ones if they would be too many; at least 5 MiB, default 64 MiB. */
  readonly partBytes?: number;
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
export const createS3Client = (options: Omit<S3Options, "bucket" | "createBucket" | "partBytes">): Client => {
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
      pathStyle: options.pathStyle ?? true,
      transport: impatientTransport(useSSL ? https : http, options.timeoutMs ?? 60_000),
      // Otherwise Node's own agent, which keeps connections, too.
      ...(useSSL &&
        options.ca !== undefined && { transportAgent: new https.Agent({ keepAlive: true, ca: options.ca }) }),
      retryOptions: { disableRetry: true },
    });
  } catch (thrown) {
    throw invalid("S3_ENDPOINT_INVALID", `Cannot use ${JSON.stringify(options.endpoint)} as S3 endpoint`, thrown);
  }
};

const hasCode = (thrown: unknown, code: string): boolean => thrown instanceof S3Error && thrown.code === code;

/** Asks for a listing and not for a HEAD, whose answer has no room to say why it is none. */
const bucketExists = async (client: Client, bucket: string): Promise<boolean> => {
  try {
    await client.listObjectsV2Query(bucket, "", "", "", 1, "");
    return true;
  } catch (thrown) {
    if (hasCode(thrown, "NoSuchBucket")) return false;
    throw thrown;
  }
};

/** Makes sure that the bucket is there. Throws failedPrecondition BUCKET_NOT_FOUND or OBJECT_STORE_DENIED. */
export const ensureBucket = async (client: Client, bucket: string, create: boolean): Promise<void> => {
  try {
    if (await bucketExists(client, bucket)) return;
    if (!create) {
      const message = `Cannot use bucket "${bucket}": there is none; run radhical provision, or check S3_BUCKET`;
      throw new DomainError("failedPrecondition", "BUCKET_NOT_FOUND", message);
    }
    await client.makeBucket(bucket);
  } catch (thrown) {
    if (hasCode(thrown, "BucketAlreadyOwnedByYou")) return;
    throw s3Failure(`open bucket "${bucket}"`, thrown, { bucket });
  }
};
