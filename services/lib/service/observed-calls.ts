/** @file gRPC calls as traces and metrics tell them, on both sides: a span per call, its context in the call's metadata. */
import {
  type CallContext,
  type CallOptions,
  type ClientMiddlewareCall,
  Metadata,
  type ServerMiddlewareCall,
} from "nice-grpc";
import { ClientError, ServerError, Status } from "nice-grpc-common";
import { type Span, startSpan } from "../telemetry/spans.ts";
import { inTraceOf, traceHeaders } from "../telemetry/trace-context.ts";
import { recordCall } from "./events.ts";

/** Probes ask for health every few seconds, and nobody wants to see it. */
const HEALTH = "/grpc.health.v1.Health/";
/** Statuses that say that something is broken; the others are answers. */
const FAULTS = new Set(["UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNIMPLEMENTED"]);

function codeOf(thrown: unknown): string {
  if (thrown instanceof ServerError || thrown instanceof ClientError) return Status[thrown.code] ?? "UNKNOWN";
  return thrown instanceof Error && thrown.name === "AbortError" ? "CANCELLED" : "UNKNOWN";
}

/** What a call does: nothing but return a message, or yield messages and return nothing. */
type Steps<Response> = AsyncIterator<never, Response, undefined> | AsyncIterator<Response, void, undefined>;

/** Yields and returns what the call does, each step of it done within the span; ends the span with the call's status. */
async function* within<Response>(span: Span, steps: Steps<Response>, onEnd: (code: string) => void = () => undefined) {
  // What is left if the reader of a stream goes away.
  let code = "CANCELLED";
  try {
    for (;;) {
      const step = await span.run(() => steps.next());
      if (step.done) {
        code = "OK";
        return step.value;
      }
      yield step.value;
    }
  } catch (thrown) {
    code = codeOf(thrown);
    throw thrown;
  } finally {
    // Ends a call that is read no further; one that has ended takes no notice.
    await span.run(() => steps.return?.());
    span.set({ "rpc.response.status_code": code });
    span.end(FAULTS.has(code) ? code : undefined);
    onEnd(code);
  }
}

/** Client middleware: a span per call, which the server goes on below. */
export async function* tracedCalls<Request, Response>(
  call: ClientMiddlewareCall<Request, Response>,
  options: CallOptions,
) {
  const method = call.method.path.slice(1);
  const span = startSpan(method, { kind: "client", attributes: { "rpc.system.name": "grpc", "rpc.method": method } });
  const metadata = Metadata(options.metadata);
  for (const [name, value] of Object.entries(span.run(traceHeaders))) metadata.set(name, value);
  return yield* within(span, call.next(call.request, { ...options, metadata }));
}

/** Server middleware: a span per call below the caller's, and its duration by method and status. */
export async function* observedAnswers<Request, Response>(
  call: ServerMiddlewareCall<Request, Response>,
  context: CallContext,
) {
  if (call.method.path.startsWith(HEALTH)) return yield* call.next(call.request, context);
  const method = call.method.path.slice(1);
  const attributes = { "rpc.system.name": "grpc", "rpc.method": method };
  const span = inTraceOf(headersOf(context.metadata), () => startSpan(method, { kind: "server", attributes }));
  const startedMs = performance.now();
  return yield* within(span, call.next(call.request, context), (code) =>
    recordCall({ method, code, seconds: (performance.now() - startedMs) / 1_000 }),
  );
}

function headersOf(metadata: Metadata): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of metadata) {
    const last = values.at(-1);
    if (typeof last === "string") headers[name] = last;
  }
  return headers;
}
