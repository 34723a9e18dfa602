/** @file What carries a trace from process to process: W3C's headers, and the one value that a job keeps. */
import { telemetryApi } from "./api.ts";

type Headers = Readonly<Record<string, string>>;

/** Name of the header that names a trace and the span within it. */
export const TRACEPARENT = "traceparent";

/** Returns the headers that tell another process of the active span; none while telemetry is off or no span is active. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  const api = telemetryApi();
  api?.propagation.inject(api.context.active(), headers);
  return headers;
}

/** Returns the active span as a job keeps it; empty if there is none. */
export const activeTraceparent = (): string => traceHeaders()[TRACEPARENT] ?? "";

/** Returns what `work` returns, done in the trace that the headers name and in no other; in none if they name none. */
export function inTraceOf<T>(headers: Headers, work: () => T): T {
  const api = telemetryApi();
  if (!api) return work();
  return api.context.with(api.propagation.extract(api.ROOT_CONTEXT, headers), work);
}

const traceIdOf = (traceparent: string): string | undefined => traceparent.split("-")[1];

/** Returns what `work` returns, done in the trace of `traceparent`: below the active span if that belongs to it, else below its own. */
export function inTrace<T>(traceparent: string, work: () => T): T {
  const isThere = traceparent === "" || traceIdOf(activeTraceparent()) === traceIdOf(traceparent);
  return isThere ? work() : inTraceOf({ [TRACEPARENT]: traceparent }, work);
}

/** Returns the fields by which a log line is found from its trace; none outside of one. */
export function traceFields(): { readonly trace_id?: string; readonly span_id?: string } {
  const api = telemetryApi();
  const span = api?.trace.getActiveSpan()?.spanContext();
  return span ? { trace_id: span.traceId, span_id: span.spanId } : {};
}
