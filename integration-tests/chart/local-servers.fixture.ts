/** @file The servers of deploy/local as the chart's users would have their own: addresses, and what lies in their secrets. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { TOKEN } from "../serving.fixture.ts";
import type { Example } from "./helm.fixture.ts";

/** Servers, and a place of its own on them: what is made there stays until they end. */
export interface LocalServers {
  readonly brokers: string;
  readonly endpoint: string;
  readonly region: string;
  /** Prefix of topics and groups, and the bucket's name. */
  readonly place: string;
  /** Secret, key, value. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const setting = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: deploy/local/up prints it, and charts/check sets it`);
  return value;
};

/** Returns what `example` needs: servers in the clear, or with TLS and SASL. */
export async function localServers(example: Example): Promise<LocalServers> {
  const place = `radhical-chart-${randomBytes(6).toString("hex")}`;
  const shared = { region: setting("S3_REGION"), place };
  if (example === "laptop") {
    const keys = { "access-key": setting("S3_ACCESS_KEY"), "secret-key": setting("S3_SECRET_KEY") };
    const secrets = { "radhical-token": { token: TOKEN }, "radhical-s3": keys };
    return { ...shared, brokers: setting("KAFKA_BROKERS"), endpoint: setting("S3_ENDPOINT"), secrets };
  }
  const ours = (name: string): string => setting(`RADHICAL_TEST_${name}`);
  return {
    ...shared,
    brokers: ours("KAFKA_TLS_BROKERS"),
    endpoint: ours("S3_TLS_ENDPOINT"),
    secrets: {
      "radhical-token": { token: TOKEN },
      "radhical-kafka": { username: ours("KAFKA_USERNAME"), password: ours("KAFKA_PASSWORD") },
      "radhical-s3": { "access-key": ours("S3_TLS_ACCESS_KEY"), "secret-key": ours("S3_TLS_SECRET_KEY") },
      "house-ca": { "ca.crt": await readFile(ours("CA_FILE"), "utf8") },
    },
  };
}
