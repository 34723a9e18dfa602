/** @file How many messages the topics of a deployment hold, for whoever counts what a run published. */
import { createKafkaClient } from "./kafka-client.ts";
import { kafkaNames } from "./kafka-names.ts";

/** Returns the messages published so far to each topic of a deployment, by its name without the prefix. */
export async function publishedMessages(brokers: readonly string[], prefix: string): Promise<Map<string, number>> {
  const admin = createKafkaClient({ brokers, clientId: "radhical-count" }).admin();
  const names = kafkaNames(prefix);
  await admin.connect();
  try {
    const counts = new Map<string, number>();
    for (const topic of await admin.listTopics()) {
      if (!topic.startsWith(names.of(""))) continue;
      const partitions = await admin.fetchTopicOffsets(topic);
      counts.set(
        names.without(topic),
        partitions.reduce((sum, { high }) => sum + Number(high), 0),
      );
    }
    return counts;
  } finally {
    await admin.disconnect();
  }
}
