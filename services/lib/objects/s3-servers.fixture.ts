/** @file The S3 servers that the environment names for tests. */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import type { Client } from "minio";
import { createS3Client, type S3Options } from "./s3-client.ts";
import { openS3Store } from "./s3-store.ts";

/** A server under test. */
export interface S3Server {
  /** For the names of tests. */
  readonly name: string;
  readonly options: S3Options;
  /** Whether it takes an object below another's key. */
  readonly nests: boolean;
}

const newBucket = (): string => `objects-test-${randomBytes(6).toString("hex")}`;

/** The least that S3 allows, so that tests need not send much. */
export const PART_BYTES = 5 * 2 ** 20;

/** Returns the servers that the environment names, each with the name of a new bucket: by http one that stores any key, by https versitygw. */
export const s3Servers = (env: NodeJS.ProcessEnv): readonly S3Server[] => {
  const { S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY, S3_REGION: region } = env;
  const { RADHICAL_TEST_S3_TLS_ENDPOINT, RADHICAL_TEST_S3_TLS_ACCESS_KEY, RADHICAL_TEST_S3_TLS_SECRET_KEY } = env;
  const servers: S3Server[] = [];
  if (S3_ENDPOINT && S3_ACCESS_KEY && S3_SECRET_KEY && region) {
    const keys = { endpoint: S3_ENDPOINT, accessKey: S3_ACCESS_KEY, secretKey: S3_SECRET_KEY };
    const options = { ...keys, region, bucket: newBucket(), partBytes: PART_BYTES };
    servers.push({ name: "S3", options, nests: true });
  }
  if (RADHICAL_TEST_S3_TLS_ENDPOINT && RADHICAL_TEST_S3_TLS_ACCESS_KEY && RADHICAL_TEST_S3_TLS_SECRET_KEY && region) {
    const keys = { accessKey: RADHICAL_TEST_S3_TLS_ACCESS_KEY, secretKey: RADHICAL_TEST_S3_TLS_SECRET_KEY };
    const ca = readFileSync(env.RADHICAL_TEST_CA_FILE ?? "", "utf8");
    const place = { endpoint: RADHICAL_TEST_S3_TLS_ENDPOINT, region, bucket: newBucket(), ca };
    servers.push({ name: "S3 by TLS", options: { ...keys, ...place, partBytes: PART_BYTES }, nests: false });
  }
  return servers;
};

/** Makes the server's bucket before the tests around the call and removes it after them. Returns a client of its own. */
export const withBucket = ({ options }: S3Server): Client => {
  const client = createS3Client(options);
  before(async () => (await openS3Store({ ...options, createBucket: true })).close());
  after(async () => {
    const keys: string[] = [];
    for await (const { name } of client.listObjectsV2(options.bucket, "", true)) keys.push(name);
    await client.removeObjects(options.bucket, keys);
    await client.removeBucket(options.bucket);
  });
  return client;
};
