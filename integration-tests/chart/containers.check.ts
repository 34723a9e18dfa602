/** @file Chart and program cannot drift apart: every container that the chart renders runs, against real Kafka and S3. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type TestContext, test } from "node:test";
import { createKafkaClient } from "../../services/lib/queue/kafka-client.ts";
import { checkSettingsAreKnown, runToEnd, runUntilHealthy } from "./container.fixture.ts";
import { containerOf, EXAMPLES, render, type ScaledObject } from "./helm.fixture.ts";
import { type LocalServers, localServers } from "./local-servers.fixture.ts";
import { podProcess } from "./pod.fixture.ts";

/** As the brokers of both examples are one here: enough for the most replicas of either. */
const PARTITIONS = 12;

/** Starts what takes OpenTelemetry's exports. Returns its address and the paths that were posted to. */
async function startCollector(t: TestContext): Promise<{ readonly url: string; readonly paths: Set<string> }> {
  const paths = new Set<string>();
  const server = createServer((request, response) => {
    paths.add(request.url ?? "");
    request.resume().once("end", () => response.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return { url: `http://127.0.0.1:${address.port}`, paths };
}

/** What a user would have set instead of the example's. */
const ownValues = (servers: LocalServers, otlpEndpoint: string): Record<string, unknown> => ({
  "kafka.brokers": [servers.brokers],
  "kafka.prefix": servers.place,
  "kafka.partitions": PARTITIONS,
  "kafka.replication": 1,
  "s3.endpoint": servers.endpoint,
  "s3.region": servers.region,
  "s3.bucket": servers.place,
  "telemetry.otlpEndpoint": otlpEndpoint,
});

/** Fails where KEDA would look at another group or topic than those that the running services consume as and from. */
async function checkScaledWork(scaled: readonly ScaledObject[]): Promise<void> {
  const triggers = scaled.flatMap(({ spec }) => spec.triggers.map(({ metadata }) => metadata));
  const admin = createKafkaClient({ brokers: [process.env.KAFKA_BROKERS ?? ""], clientId: "chart-check" }).admin();
  await admin.connect();
  try {
    const { groups } = await admin.describeGroups([
      ...new Set(triggers.map(({ consumerGroup }) => consumerGroup ?? "")),
    ]);
    for (const { consumerGroup, topic = "" } of triggers) {
      const group = groups.find(({ groupId }) => groupId === consumerGroup);
      assert.ok(group && group.members.length > 0, `nobody consumes as group "${consumerGroup}"`);
      // A member's topics are strings after their length.
      const length = Buffer.alloc(2);
      length.writeInt16BE(topic.length);
      const wanted = Buffer.concat([length, Buffer.from(topic)]);
      const isSubscribed = group.members.some(({ memberMetadata }) => memberMetadata.includes(wanted));
      assert.ok(isSubscribed, `group "${consumerGroup}" does not consume from "${topic}"`);
    }
  } finally {
    await admin.disconnect();
  }
}

for (const example of EXAMPLES) {
  test(`${example}: every container runs until it is healthy, and ends in time`, async (t) => {
    const servers = await localServers(example);
    const collector = await startCollector(t);
    // Scaled or not, the work of an entry is the same: all of them show here which topics and groups they mean.
    const autoscaling = { "defaults.autoscaling.enabled": true };
    const { workloads, scaled } = await render(example, { ...ownValues(servers, collector.url), ...autoscaling });
    await checkSettingsAreKnown(workloads.flatMap((it) => containerOf(it).env.map(({ name }) => name)));
    const jobs = workloads.filter(({ kind }) => kind === "Job");
    for (const job of jobs) {
      const told = await runToEnd(t, await podProcess(t, job, servers));
      assert.match(told, /topics: \d+ created, 0 found.*\nbucket: "/s);
      assert.match(await runToEnd(t, await podProcess(t, job, servers)), /topics: 0 created, \d+ found/);
    }
    const deployments = workloads.filter(({ kind }) => kind === "Deployment");
    assert.deepEqual([jobs.length, deployments.length, scaled.length], [1, 9, 9]);
    const ends = await Promise.all(deployments.map(async (it) => runUntilHealthy(t, await podProcess(t, it, servers))));
    await checkScaledWork(scaled);
    await Promise.all(ends.map((end) => end()));
    assert.ok(collector.paths.has("/v1/traces"), "no service has exported its calls");
  });
}
