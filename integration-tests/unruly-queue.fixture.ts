/** @file A queue that delivers as badly as the port allows: everything several times, keys in any order. */
import { setTimeout as delay } from "node:timers/promises";
import { createRandom } from "../services/lib/method/random.ts";
import type { Message, Queue } from "../services/lib/queue/queue.ts";
import type { ServiceDefinition } from "../services/lib/service/service.ts";

/** Longest that a message is held back, so that messages published later overtake it. */
const HELD_MS = 30;

/** How badly: by default everything twice, and keys in any order. */
export interface Unruliness {
  readonly seed: number | string;
  /** How often each message comes. */
  readonly copies?: number;
  /** Keys keep their order. */
  readonly inOrder?: boolean;
}

/** Returns a queue over another. Only messages of one key keep their order, each of them behind its own repeats. */
function unrulyQueue(queue: Queue, { seed, copies = 2, inOrder = false }: Unruliness): Queue {
  const random = createRandom("unruly queue", seed);
  const publish = async (topic: string, messages: readonly Message[]): Promise<void> => {
    const byKey = new Map<string, Message[]>();
    for (const message of messages) {
      const own = byKey.get(message.key) ?? [];
      own.push(...Array.from({ length: copies }, () => message));
      byKey.set(message.key, own);
    }
    const keys = [...byKey.values()];
    if (inOrder) return queue.publish(topic, keys.flat());
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

/** Returns a service whose queue is unruly. */
export const unruly = (definition: ServiceDefinition, how: Unruliness): ServiceDefinition => ({
  ...definition,
  start: (platform, options) => definition.start({ ...platform, queue: unrulyQueue(platform.queue, how) }, options),
});
