/** @file What every service does, as metrics tell it: calls answered, units handled, jobs ended. */
import type { Job } from "../proto/radhical/v1/jobs.ts";
import { secondsHistogram } from "../telemetry/instruments.ts";
import { startSpan } from "../telemetry/spans.ts";
import { inTraceOf, TRACEPARENT } from "../telemetry/trace-context.ts";

const CALL_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600];
const WORK_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 43_200];

const calls = secondsHistogram("radhical.grpc.call.duration", "Calls answered, streams to their end", CALL_SECONDS);
const units = secondsHistogram("radhical.unit.duration", "Units of work handled", WORK_SECONDS);
const jobs = secondsHistogram("radhical.job.duration", "Jobs from their submission to their end", WORK_SECONDS);

/** Tells of an answered call: its method and the name of its gRPC status. */
export const recordCall = (call: { readonly method: string; readonly code: string; readonly seconds: number }): void =>
  calls(call.seconds, { method: call.method, code: call.code });

/** How the handling of a unit ended. */
export type UnitOutcome = "done" | "skipped" | "passed-on" | "cancelled" | "interrupted" | "failed";

/** A handled unit. */
export interface HandledUnit {
  /** Its topic without prefix and level: "inference.level". */
  readonly kind: string;
  readonly level: number | undefined;
  readonly outcome: UnitOutcome;
  readonly seconds: number;
}

/** Tells of a handled unit. */
export const recordUnit = ({ kind, level, outcome, seconds }: HandledUnit): void =>
  units(seconds, { kind, level, outcome });

/** Tells of a job that has ended, and how: a measurement, and a span of its whole life in its trace. */
export function recordJob(job: Job, state: string): void {
  const { id, service, kind, submittedAt, updatedAt, deadUnits, traceparent } = job;
  if (submittedAt && updatedAt) jobs((updatedAt.getTime() - submittedAt.getTime()) / 1_000, { service, kind, state });
  const attributes = {
    "radhical.job.id": id,
    "radhical.job.kind": kind,
    "radhical.job.state": state,
    "radhical.job.dead_units": Number(deadUnits),
  };
  const span = inTraceOf({ [TRACEPARENT]: traceparent }, () =>
    startSpan(`${service}.job`, { attributes, startedAt: submittedAt }),
  );
  span.end(state === "failed" ? "JOB_FAILED" : undefined);
}
