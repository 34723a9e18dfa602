/** @file A queue that delivers as badly as the port allows: everything twice, keys in any order. */
import { setTimeout as delay } from "node:timers/promises";
import { createRandom } from "../services/lib/method/random.ts";
import type { Message, Queue } from "../services/lib/queue/queue.ts";

/** Longest that a message is held back, so that messages published later overtake it. */
const HELD_MS = 30;

/** Returns a queue over another. Only messages of one key keep their order, each of them behind its own repeat. */
export function unrulyQueue(queue: Queue, seed: number): Queue {
  const random = createRandom("unruly queue", seed);
  const publish = async (topic: string, messages: readonly Message[]): Promise<void> => {
    const byKey = new Map<string, Message[]>();
    for (const message of messages) {
      const own = byKey.get(message.key) ?? [];
      own.push(message, message);
      byKey.set(message.key, own);
    }
    const keys = [...byKey.values()];
    random.shuffle(keys);
    await Promise.all(
      keys.map(async (own) => {
        await delay(HELD_MS * random.next());
        await queue.publish(topic, own);
      }),
    );
  };
  return { ...queue, publish };
}
