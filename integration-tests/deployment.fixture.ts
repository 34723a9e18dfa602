/** @file A deployment on real servers as tests have it: topics and groups under a prefix, and a bucket, of its own. */
import { randomBytes } from "node:crypto";
import { createS3Client } from "../services/lib/objects/s3-client.ts";
import { radhicalSucceeds, type Undoing } from "./radhical-command.fixture.ts";

/** A bucket and how to reach it. */
export interface Bucket {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly region: string;
  readonly bucket: string;
  /** PEM of the authority of an https endpoint. */
  readonly ca?: string;
}

/** What `radhical provision` has made for a test. */
export interface Deployment {
  /** The settings of its services. */
  readonly env: Readonly<Record<string, string>>;
  readonly bucket: Bucket;
}

/** A broker and an S3 server. */
export type Servers = Omit<Bucket, "bucket"> & { readonly brokers: string };

/** Returns the servers that an environment names, or undefined. */
export function serversIn(env: Readonly<Record<string, string | undefined>>): Servers | undefined {
  const { KAFKA_BROKERS, S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY, S3_REGION = "us-east-1" } = env;
  if (!KAFKA_BROKERS || !S3_ENDPOINT || !S3_ACCESS_KEY || !S3_SECRET_KEY) return undefined;
  const keys = { accessKey: S3_ACCESS_KEY, secretKey: S3_SECRET_KEY };
  return { brokers: KAFKA_BROKERS, endpoint: S3_ENDPOINT, region: S3_REGION, ...keys };
}

/** Returns the servers of the environment, or undefined where there are none: their tests do not exist then. */
export const serversFromEnvironment = (): Servers | undefined => serversIn(process.env);

/** Provisions a deployment, with few partitions for the broker's sake; its bucket is removed after the test, its topics end with the broker. */
export async function provisionDeployment(
  t: Undoing,
  { brokers, ...server }: Servers,
  settings: Readonly<Record<string, string>> = {},
): Promise<Deployment> {
  const name = `radhical-test-${randomBytes(6).toString("hex")}`;
  const env = {
    KAFKA_BROKERS: brokers,
    KAFKA_PREFIX: name,
    KAFKA_PARTITIONS: "3",
    S3_ENDPOINT: server.endpoint,
    S3_ACCESS_KEY: server.accessKey,
    S3_SECRET_KEY: server.secretKey,
    S3_REGION: server.region,
    S3_BUCKET: name,
    ...settings,
  };
  await radhicalSucceeds(t, ["provision"], { env });
  const bucket = { ...server, bucket: name };
  t.after(() => removeBucket(bucket));
  return { env, bucket };
}

async function removeBucket(place: Bucket): Promise<void> {
  const client = createS3Client(place);
  const keys: string[] = [];
  for await (const { name } of client.listObjectsV2(place.bucket, "", true)) keys.push(name);
  await client.removeObjects(place.bucket, keys);
  await client.removeBucket(place.bucket);
}
