import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Kafka } from "kafkajs";
import { DomainError } from "../errors.ts";
import { unique } from "./harness.fixture.ts";
import { provisionTopics } from "./kafka-provision.ts";
import { openKafkaQueue } from "./kafka-queue.ts";
import type { TopicSpec } from "./topic-spec.ts";

const TOPICS: readonly TopicSpec[] = [
  { name: "tiles", kind: "work" },
  { name: "events", kind: "events" },
];

const refusal = (reason: string, patterns: readonly RegExp[]) => (error: unknown) => {
  assert.ok(error instanceof DomainError);
  assert.deepEqual([error.kind, error.reason], ["failedPrecondition", reason]);
  for (const pattern of patterns) assert.match(error.message, pattern);
  return true;
};

const { KAFKA_BROKERS } = process.env;
if (KAFKA_BROKERS) provisionTests(KAFKA_BROKERS.split(","));

function provisionTests(brokers: readonly string[]): void {
  const address = { brokers, clientId: "provision" };
  const provision = (prefix: string, layout: { partitions?: number; replication?: number } = {}) =>
    provisionTopics(address, TOPICS, { prefix, partitions: 2, ...layout });

  const openAdmin = async (t: TestContext) => {
    const admin = new Kafka({ brokers: [...brokers], clientId: "provision-test", logLevel: 0 }).admin();
    await admin.connect();
    t.after(() => admin.disconnect());
    return admin;
  };

  test("makes what is missing once, each topic with its dead-letter topic, partitions and settings of its kind", async (t) => {
    const prefix = unique("provision");
    const names = ["tiles", "tiles.dead-letter", "events", "events.dead-letter"].map((name) => `${prefix}.${name}`);
    assert.deepEqual(await provision(prefix), { created: names, found: [] });
    assert.deepEqual(await provision(prefix), { created: [], found: names });
    const admin = await openAdmin(t);
    const { topics } = await admin.fetchTopicMetadata({ topics: names });
    const partitions = new Map(topics.map((topic) => [topic.name, topic.partitions.length]));
    assert.deepEqual(
      names.map((name) => partitions.get(name)),
      [2, 1, 2, 1],
    );
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: names.map((name) => ({ type: 2, name, configNames: ["retention.ms", "cleanup.policy"] })),
    });
    const retention = new Map(
      resources.map(({ resourceName, configEntries }) => [
        resourceName,
        configEntries.map(({ configValue }) => configValue).sort(),
      ]),
    );
    assert.deepEqual(
      names.map((name) => retention.get(name)),
      ["1209600000", "2592000000", "259200000", "2592000000"].map((ms) => [ms, "delete"]),
    );
  });

  test("two that provision at once both succeed", async () => {
    const prefix = unique("provision");
    const outcomes = await Promise.all([provision(prefix), provision(prefix), provision(prefix)]);
    for (const { created, found } of outcomes) assert.equal(created.length + found.length, 4);
  });

  test("names every topic that is not as it has to be, with the cure, changes none, and makes the missing ones", async (t) => {
    const prefix = unique("provision");
    const admin = await openAdmin(t);
    await admin.createTopics({
      topics: [
        { topic: `${prefix}.tiles`, numPartitions: 5, configEntries: [{ name: "retention.ms", value: "1000" }] },
        { topic: `${prefix}.events`, numPartitions: 2, configEntries: [{ name: "cleanup.policy", value: "compact" }] },
      ],
    });
    const isRefused = refusal("TOPICS_MISMATCHED", [
      new RegExp(`"${prefix}\\.tiles" has 5 partitions instead of 2 \\(set KAFKA_PARTITIONS=5, or `),
      new RegExp(`"${prefix}\\.tiles": retention\\.ms is "1000" instead of "1209600000"`),
      new RegExp(`"${prefix}\\.events": cleanup\\.policy is "compact" instead of "delete"`),
      new RegExp(`kafka-configs\\.sh .* --entity-name ${prefix}\\.events --add-config cleanup\\.policy=delete`),
    ]);
    await assert.rejects(provision(prefix), isRefused);
    await assert.rejects(provision(prefix), isRefused);
    const { topics } = await admin.fetchTopicMetadata({ topics: [`${prefix}.tiles`, `${prefix}.tiles.dead-letter`] });
    assert.deepEqual(topics.map(({ partitions }) => partitions.length).sort(), [1, 5]);
  });

  test("more replicas than there are brokers are refused by the setting's name, and nothing is made", async (t) => {
    const prefix = unique("provision");
    await assert.rejects(provision(prefix, { replication: 5 }), {
      reason: "REPLICATION_INVALID",
      message: /with 5 replicas: the cluster has fewer brokers; set KAFKA_REPLICATION/,
    });
    const admin = await openAdmin(t);
    assert.deepEqual(
      (await admin.listTopics()).filter((name) => name.startsWith(prefix)),
      [],
    );
  });

  test("other replicas than asked for are a mismatch; left to the brokers they are not", async () => {
    const prefix = unique("provision");
    await provision(prefix);
    await assert.rejects(
      provision(prefix, { replication: 2 }),
      refusal("TOPICS_MISMATCHED", [/has 1 replicas instead of 2 \(set KAFKA_REPLICATION=1/]),
    );
  });

  test("a process whose topics were never made is told which, and to provision; its prefix is its own", async (t) => {
    const [prefix, other] = [unique("provision"), unique("provision")];
    await provision(prefix);
    const open = async (own: string) => {
      const queue = await openKafkaQueue({ ...address, prefix: own });
      t.after(() => queue.close());
      return queue;
    };
    const stranger = await open(other);
    const missing = [`${other}\\.tiles", "${other}\\.tiles\\.dead-letter"`, "run radhical provision"];
    await assert.rejects(
      stranger.requireTopics(["tiles"]),
      refusal(
        "TOPICS_MISSING",
        missing.map((text) => new RegExp(text)),
      ),
    );
    await assert.rejects(stranger.publish("tiles", []), refusal("UNKNOWN_TOPIC", []));
    const own = await open(prefix);
    await own.requireTopics(["tiles", "events"]);
    // Provisioned after it was opened.
    await provision(other);
    await stranger.requireTopics(["tiles"]);
  });
}
