/** @file `radhical provision`: the topics and the bucket of a deployment, made where they are missing, checked where they are not. */
import { randomUUID } from "node:crypto";
import { DomainError, invalid } from "../lib/errors.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { openS3Store } from "../lib/objects/s3-store.ts";
import { type ProvisionedTopics, provisionTopics } from "../lib/queue/kafka-provision.ts";
import { readConfig, type ServiceConfig } from "../lib/service/config.ts";
import { ALL_TOPICS } from "../lib/service/topics.ts";
import type { Output } from "./output.ts";

/**
 * Provisions what KAFKA_BROKERS and S3_ENDPOINT name, with the settings that the services have. Both are tried, whatever the other comes
 * to. Throws OPTIONS_INVALID where neither is set, else PROVISION_FAILED with every problem.
 */
export async function provision(output: Output, env: Readonly<Record<string, string | undefined>>): Promise<void> {
  const { queue, objects } = readConfig(env);
  if (queue.kind !== "kafka" && objects.kind !== "s3") {
    const message = "Cannot provision: neither KAFKA_BROKERS nor S3_ENDPOINT is set, and without them nothing needs it";
    throw invalid("OPTIONS_INVALID", message);
  }
  const problems: string[] = [];
  const noting = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const topics = queue.kind === "kafka" ? await noting(topicsOf(queue)) : undefined;
  const bucket = objects.kind === "s3" ? await noting(bucketOf(objects)) : undefined;
  if (problems.length > 0) throw new DomainError("failedPrecondition", "PROVISION_FAILED", problems.join("\n"));
  const lines = [
    ...(topics ? [`topics: ${topics.created.length} created, ${topics.found.length} found as they have to be`] : []),
    ...(bucket === undefined ? [] : [`bucket: "${bucket}" is there and keeps its promises`]),
  ];
  output.result(lines.join("\n"), { topics: topics ?? null, bucket: bucket ?? null });
}

const topicsOf = (queue: Extract<ServiceConfig["queue"], { kind: "kafka" }>): Promise<ProvisionedTopics> =>
  provisionTopics({ ...queue, clientId: "radhical-provision" }, ALL_TOPICS, queue);

/** Returns the bucket's name once it exists and does what the services rely on. */
async function bucketOf(objects: Extract<ServiceConfig["objects"], { kind: "s3" }>): Promise<string> {
  const store = await openS3Store({ ...objects, createBucket: true });
  try {
    await checkConditions(store, objects.bucket);
  } finally {
    await store.close();
  }
  return objects.bucket;
}

/** Job state and checkpoints are decided by conditional puts: a store that takes them and ignores the condition would lose work unseen. */
async function checkConditions(store: ObjectStore, bucket: string): Promise<void> {
  const key = objectKey("provision", randomUUID());
  const [first, second] = [Buffer.from("first"), Buffer.from("second")];
  const etag = await store.put(key, first, { ifAbsent: true });
  try {
    const ignored = [
      ...((await store.put(key, second, { ifAbsent: true })) === undefined ? [] : ["If-None-Match"]),
      ...((await store.put(key, second, { ifMatch: "0".repeat(32) })) === undefined ? [] : ["If-Match"]),
    ];
    if (etag === undefined || ignored.length > 0) {
      const message = `Cannot use bucket "${bucket}": its server ignores ${ignored.join(" and ")}; use one with conditional puts`;
      throw new DomainError("failedPrecondition", "CONDITIONS_IGNORED", message);
    }
  } finally {
    await store.delete(key);
  }
}
