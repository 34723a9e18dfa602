/** @file Attempts on Kafka: metadata of an offset commit, made before the handler starts, at the offset it starts on. */
import type { Admin } from "kafkajs";
import { z } from "zod";
import type { Tally } from "./deliver.ts";

const Metadata = z.object({ offset: z.string(), attempt: z.number().int().nonnegative() });

/** Returns the metadata that says how often the message at this offset was started. */
export const encodeAttempt = (offset: string, attempt: number): string => JSON.stringify({ offset, attempt });

/** Returns how often the message at `offset` was started; 0 if the metadata is of another offset or not ours. */
export function decodeAttempt(metadata: string | null, offset: string): number {
  if (!metadata) return 0;
  try {
    const parsed = Metadata.safeParse(JSON.parse(metadata));
    return parsed.success && parsed.data.offset === offset ? parsed.data.attempt : 0;
  } catch {
    // Metadata of another program that used the group before: it says nothing about our starts.
    return 0;
  }
}

/** What a member knows of the deaths of earlier members on its partitions. */
export interface KafkaAttempts {
  /** Returns the tally of the message at this offset; reads the commit once per partition and assignment. */
  tallyOf(topic: string, partition: number, offset: string): Promise<Tally>;
  /** To be called when partitions are assigned anew: others may have committed since. */
  forget(): void;
}

/** Returns the attempts of a group as its commits tell them. */
export function createKafkaAttempts(admin: Pick<Admin, "fetchOffsets">, groupId: string): KafkaAttempts {
  const tallies = new Map<string, { readonly offset: string; readonly tally: Tally }>();
  const read = async (topic: string, partition: number, offset: string): Promise<Tally> => {
    const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const found = committed?.partitions.find((candidate) => candidate.partition === partition);
    return { deaths: decodeAttempt(found?.metadata ?? null, offset) };
  };
  return {
    async tallyOf(topic, partition, offset) {
      const place = `${topic}/${partition}`;
      const known = tallies.get(place);
      if (known?.offset === offset) return known.tally;
      // A partition's commit tells of one offset, the first that this member gets; later ones were never started.
      const tally = known === undefined ? await read(topic, partition, offset) : { deaths: 0 };
      tallies.set(place, { offset, tally });
      return tally;
    },
    forget: () => tallies.clear(),
  };
}
