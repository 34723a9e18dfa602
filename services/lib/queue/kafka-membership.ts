/** @file A consumer's standing in its group: which deliveries it holds, and when it has to give them up. */
import type { Consumer as KafkaConsumer } from "kafkajs";
import { protocolErrorType } from "./kafka-client.ts";

/** The group goes on without this member: what it holds is, or will be, another's. */
const EXPELLED = new Set(["UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION"]);

/** A delivery's hold on its partition. */
export interface Hold {
  readonly signal: AbortSignal;
  end(): void;
}

export interface Membership {
  /** Says that a delivery of this partition starts. */
  hold(topic: string, partition: number): Hold;
  /** Sends a heartbeat by kafkajs's function; never rejects, but aborts what is held when the group demands it. */
  beat(heartbeat: () => Promise<void>): Promise<void>;
  /** True from a failed heartbeat to the next good one: start nothing new, so that kafkajs can rejoin. */
  mustRejoin(): boolean;
  abortAll(reason: Error): void;
}

/**
 * Watches a consumer. kafkajs rejoins only after running handlers have ended, and the group waits for that up to the
 * rebalance timeout. So a handler gets `graceMs` from the first heartbeat that failed to finish by itself; then its
 * signal aborts. It aborts at once when the group has dropped this member or given the partition to another.
 */
export function watchMembership(consumer: KafkaConsumer, graceMs: number, onAssigned: () => void): Membership {
  const held = new Map<AbortController, { readonly topic: string; readonly partition: number }>();
  let failingSinceMs: number | undefined;
  const abortAll = (reason: Error) => {
    for (const controller of held.keys()) controller.abort(reason);
  };

  consumer.on("consumer.heartbeat", () => {
    failingSinceMs = undefined;
  });
  consumer.on("consumer.group_join", ({ payload: { memberAssignment } }) => {
    failingSinceMs = undefined;
    onAssigned();
    for (const [controller, { topic, partition }] of held) {
      if (!memberAssignment[topic]?.includes(partition)) {
        controller.abort(new Error(`partition ${partition} of topic "${topic}" is lost to another member`));
      }
    }
  });

  return {
    hold(topic, partition) {
      const controller = new AbortController();
      held.set(controller, { topic, partition });
      return { signal: controller.signal, end: () => held.delete(controller) };
    },
    async beat(heartbeat) {
      try {
        await heartbeat();
      } catch (thrown) {
        failingSinceMs ??= Date.now();
        const expelled = EXPELLED.has(protocolErrorType(thrown) ?? "");
        if (expelled || Date.now() - failingSinceMs >= graceMs) {
          abortAll(new Error("the consumer has to rejoin its group", { cause: thrown }));
        }
      }
    },
    mustRejoin: () => failingSinceMs !== undefined,
    abortAll,
  };
}
