/** @file A unit's handling as traces and metrics tell it: one span per handling, whatever the queue batches. */
import type { Delivery } from "../../queue/queue.ts";
import { failureType, startSpan } from "../../telemetry/spans.ts";
import { recordUnit, type UnitOutcome } from "../events.ts";
import { UNIT_HEADERS } from "./units.ts";

/** What of the method a unit computes. */
export interface Place {
  readonly level?: number | undefined;
  readonly fold?: number | undefined;
}

/** Returns a topic's kind, as spans and metrics name it: without prefix and level, "inference.level". */
const topicKind = (topic: string): string => topic.split(".").slice(-2).join(".").replace(/-\d+$/, "");

/** Handles a unit by `work`, which returns how that ended. */
export async function tracedUnit(
  { topic, headers, attempt, signal }: Delivery,
  { level, fold }: Place,
  work: () => Promise<UnitOutcome>,
): Promise<void> {
  const kind = topicKind(topic);
  const attributes = {
    "radhical.job.id": headers[UNIT_HEADERS.job],
    "radhical.job.service": headers[UNIT_HEADERS.service],
    "radhical.unit": Number(headers[UNIT_HEADERS.unit] ?? -1),
    "radhical.level": level,
    "radhical.fold": fold,
    "radhical.attempt": attempt,
  };
  const span = startSpan(kind, { kind: "consumer", attributes });
  const startedMs = performance.now();
  const end = (outcome: UnitOutcome, failure?: string): void => {
    span.set({ "radhical.outcome": outcome });
    span.end(failure);
    recordUnit({ kind, level, outcome, seconds: (performance.now() - startedMs) / 1_000 });
  };
  try {
    end(await span.run(work));
  } catch (error) {
    end(signal.aborted ? "interrupted" : "failed", failureType(error));
    throw error;
  }
}
