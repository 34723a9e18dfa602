/** @file How far groups are behind, from the offsets that they committed and the ends of their topics. */
import type { Admin } from "kafkajs";
import type { KafkaNames } from "./kafka-names.ts";
import type { Backlog } from "./queue.ts";

type Place = Pick<Backlog, "topic" | "group">;
type TopicEnds = Awaited<ReturnType<Admin["fetchTopicOffsets"]>>;

/** Returns what each group has not done of each topic. A group that committed nothing on a partition begins at its front. */
export async function fetchBacklog(
  admin: Pick<Admin, "fetchOffsets" | "fetchTopicOffsets">,
  places: readonly Place[],
  names: Pick<KafkaNames, "of">,
): Promise<readonly Backlog[]> {
  const ends = new Map<string, TopicEnds>();
  const backlog: Backlog[] = [];
  for (const { topic, group } of places) {
    const partitions = ends.get(topic) ?? (await admin.fetchTopicOffsets(names.of(topic)));
    ends.set(topic, partitions);
    const [committed] = await admin.fetchOffsets({ groupId: names.of(group), topics: [names.of(topic)] });
    let messages = 0n;
    for (const { partition, low, high } of partitions) {
      const offset = committed?.partitions.find((candidate) => candidate.partition === partition)?.offset;
      const begins = offset === undefined || BigInt(offset) < BigInt(low) ? BigInt(low) : BigInt(offset);
      if (BigInt(high) > begins) messages += BigInt(high) - begins;
    }
    backlog.push({ topic, group, messages: Number(messages) });
  }
  return backlog;
}
