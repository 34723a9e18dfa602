/** @file Makes the topics of a deployment, and finds out whether those that exist are as they have to be. */
import type { Admin } from "kafkajs";
import { DomainError, invalid } from "../errors.ts";
import { createKafkaClient, type KafkaAddress, onBrokers, onFreshTopics, protocolErrorType } from "./kafka-client.ts";
import { kafkaNames } from "./kafka-names.ts";
import { minInsyncReplicas, planTopics, type TopicPlan, type TopicSpec } from "./topic-spec.ts";

/** The protocol's numbers; Node finds no export of kafkajs with their names. */
const TOPIC_RESOURCE = 2;
const BROKER_RESOURCE = 4;

export interface TopicLayout {
  /** Put before every name: `<prefix>.<topic>`. */
  readonly prefix: string;
  /** Of topics of work and events: the most members of a group that can work at a time. Dead-letter topics have one. */
  readonly partitions: number;
  /** Copies of each partition; undefined: what the brokers give topics by default. */
  readonly replication?: number | undefined;
}

/** What provisioning came to, by the names on the brokers. */
export interface ProvisionedTopics {
  readonly created: readonly string[];
  /** Existed, and are as they have to be. */
  readonly found: readonly string[];
}

/** A topic as the brokers have it. */
interface FoundTopic {
  readonly partitions: number;
  readonly replicas: number;
  readonly settings: ReadonlyMap<string, string>;
}

/**
 * Creates the topics that are missing, each with its dead-letter topic, and changes nothing that exists. Throws failedPrecondition
 * TOPICS_MISMATCHED that names every topic that is not as it has to be, with the cure (those that were missing have been created then),
 * and unavailable QUEUE_UNAVAILABLE.
 */
export async function provisionTopics(
  address: KafkaAddress,
  topics: readonly TopicSpec[],
  layout: TopicLayout,
): Promise<ProvisionedTopics> {
  const admin = createKafkaClient(address).admin();
  const name = kafkaNames(layout.prefix);
  const plans = planTopics(topics, layout.partitions).map((plan) => ({ ...plan, name: name.of(plan.name) }));
  return onBrokers("provision topics", address.brokers, async () => {
    try {
      await admin.connect();
      const existing = new Set(await admin.listTopics());
      const missing = plans.filter((plan) => !existing.has(plan.name));
      if (missing.length > 0) await createTopics(admin, missing, layout.replication);
      await checkTopics(admin, plans, layout.replication);
      const created = missing.map((plan) => plan.name);
      return { created, found: plans.map((plan) => plan.name).filter((topic) => !created.includes(topic)) };
    } finally {
      await admin.disconnect();
    }
  });
}

async function createTopics(admin: Admin, plans: readonly TopicPlan[], wanted: number | undefined): Promise<void> {
  const replicas = wanted ?? (await defaultReplicas(admin));
  const topics = plans.map(({ name: topic, partitions, settings }) => ({
    topic,
    numPartitions: partitions,
    replicationFactor: replicas,
    configEntries: Object.entries({ ...settings, "min.insync.replicas": String(minInsyncReplicas(replicas)) }).map(
      ([key, value]) => ({ name: key, value }),
    ),
  }));
  // Another provisioning may create them at the same time: what it made is checked like everything else.
  try {
    await admin.createTopics({ topics, waitForLeaders: false });
  } catch (error) {
    if (protocolErrorType(error) !== "INVALID_REPLICATION_FACTOR") throw error;
    const message = `Cannot create topics with ${replicas} replicas: the cluster has fewer brokers; set KAFKA_REPLICATION to at most their number`;
    throw invalid("REPLICATION_INVALID", message, error);
  }
  await onFreshTopics(() => admin.fetchTopicMetadata({ topics: topics.map(({ topic }) => topic) }));
}

/** Asked for, not left to the brokers: how many replicas must be in sync depends on it. */
async function defaultReplicas(admin: Admin): Promise<number> {
  const { brokers } = await admin.describeCluster();
  const configName = "default.replication.factor";
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: BROKER_RESOURCE, name: String(brokers[0]?.nodeId ?? 0), configNames: [configName] }],
  });
  const found = Number(resources[0]?.configEntries.find((entry) => entry.configName === configName)?.configValue);
  if (found >= 1) return found;
  const message = "Cannot find out how many replicas the brokers give a topic by default: set KAFKA_REPLICATION";
  throw new DomainError("failedPrecondition", "REPLICATION_UNKNOWN", message);
}

async function checkTopics(admin: Admin, plans: readonly TopicPlan[], replication: number | undefined): Promise<void> {
  const found = await readTopics(admin, plans);
  const problems = plans.flatMap((plan) => {
    const topic = found.get(plan.name);
    return topic ? problemsOf(plan, topic, replication) : [`topic "${plan.name}" is gone again; provision once more`];
  });
  if (problems.length === 0) return;
  const message = `Cannot use these topics as they are, and changed none of them: ${problems.join("; ")}`;
  throw new DomainError("failedPrecondition", "TOPICS_MISMATCHED", message);
}

async function readTopics(admin: Admin, plans: readonly TopicPlan[]): Promise<Map<string, FoundTopic>> {
  const names = plans.map(({ name }) => name);
  const { topics } = await admin.fetchTopicMetadata({ topics: names });
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: names.map((name) => ({ type: TOPIC_RESOURCE, name })),
  });
  const settings = new Map(
    resources.map(({ resourceName, configEntries }) => [
      resourceName,
      new Map(configEntries.map(({ configName, configValue }) => [configName, configValue])),
    ]),
  );
  return new Map(
    topics.map(({ name, partitions }) => {
      const replicas = Math.min(...partitions.map((partition) => partition.replicas.length));
      return [name, { partitions: partitions.length, replicas, settings: settings.get(name) ?? new Map() }];
    }),
  );
}

/** Returns what is wrong with a topic, each with its cure. */
function problemsOf(plan: TopicPlan, found: FoundTopic, replication: number | undefined): string[] {
  const topic = `topic "${plan.name}"`;
  const problems: string[] = [];
  if (found.partitions !== plan.partitions) {
    const cure = `set KAFKA_PARTITIONS=${found.partitions}, or stop every service, delete the topic and provision again`;
    problems.push(`${topic} has ${found.partitions} partitions instead of ${plan.partitions} (${cure})`);
  }
  if (replication !== undefined && found.replicas !== replication) {
    const cure = `set KAFKA_REPLICATION=${found.replicas}, or reassign its partitions with kafka-reassign-partitions.sh`;
    problems.push(`${topic} has ${found.replicas} replicas instead of ${replication} (${cure})`);
  }
  const wanted = { ...plan.settings, "min.insync.replicas": String(minInsyncReplicas(found.replicas)) };
  const wrong = Object.entries(wanted).filter(([key, value]) => found.settings.get(key) !== value);
  if (wrong.length > 0) {
    const is = wrong.map(([key, value]) => `${key} is "${found.settings.get(key) ?? ""}" instead of "${value}"`);
    const entries = wrong.map(([key, value]) => `${key}=${value}`).join(",");
    const cure = `kafka-configs.sh --alter --entity-type topics --entity-name ${plan.name} --add-config ${entries}`;
    problems.push(`${topic}: ${is.join(", ")} (${cure})`);
  }
  return problems;
}
