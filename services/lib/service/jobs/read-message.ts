/** @file Messages as they come: whoever reaches a topic can put anything on it. */
import { type DomainError, invalid } from "../../errors.ts";
import type { Delivery } from "../../queue/queue.ts";
import type { Codec } from "../documents.ts";

/** Returns the failure of a message that is not one of ours: MESSAGE_UNREADABLE. What it holds is not quoted; nobody knows what that is. */
export const unreadable = ({ topic }: Pick<Delivery, "topic">, why: string, cause?: unknown): DomainError =>
  invalid(
    "MESSAGE_UNREADABLE",
    `Cannot read a message of topic "${topic}": ${why}; something else published it, or another version of this software`,
    cause,
  );

/** Returns what a message says. Throws invalidArgument (MESSAGE_UNREADABLE). */
export function readMessage<T>(codec: Codec<T>, delivery: Pick<Delivery, "topic" | "value">): T {
  try {
    return codec.decode(delivery.value);
  } catch (error) {
    throw unreadable(delivery, "its bytes mean nothing here", error);
  }
}
