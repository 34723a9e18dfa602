/** @file Spans: what took how long within a trace. With telemetry off they cost a question. */
import type * as Api from "@opentelemetry/api";
import { DomainError } from "../errors.ts";
import { telemetryApi } from "./api.ts";
import { type Attributes, defined } from "./attributes.ts";

/** A span that has begun. */
export interface Span {
  /** Adds attributes. */
  set(attributes: Attributes): void;
  /** Returns what `work` returns; what it starts, now or later, belongs below this span. */
  run<T>(work: () => T): T;
  /** Ends the span, as failed where a failure's type is given. */
  end(failure?: string): void;
}

export interface SpanOptions {
  readonly kind?: "client" | "server" | "consumer" | "producer" | "internal";
  readonly attributes?: Attributes;
  /** Where the span began before now. */
  readonly startedAt?: Date | undefined;
}

const NO_SPAN: Span = { set: () => undefined, run: (work) => work(), end: () => undefined };

const kindOf = (api: typeof Api, kind: NonNullable<SpanOptions["kind"]>): Api.SpanKind =>
  ({
    client: api.SpanKind.CLIENT,
    server: api.SpanKind.SERVER,
    consumer: api.SpanKind.CONSUMER,
    producer: api.SpanKind.PRODUCER,
    internal: api.SpanKind.INTERNAL,
  })[kind];

/** Begins a span below the one that is active. Whoever begins a span ends it. */
export function startSpan(name: string, { kind = "internal", attributes = {}, startedAt }: SpanOptions = {}): Span {
  const api = telemetryApi();
  if (!api) return NO_SPAN;
  const span = api.trace.getTracer("radhical").startSpan(name, {
    kind: kindOf(api, kind),
    attributes: defined(attributes),
    ...(startedAt && { startTime: startedAt }),
  });
  const within = api.trace.setSpan(api.context.active(), span);
  return {
    set: (more) => void span.setAttributes(defined(more)),
    run: (work) => api.context.with(within, work),
    end: (failure) => {
      if (failure !== undefined) {
        span.setAttribute("error.type", failure);
        span.setStatus({ code: api.SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

/** Returns what `work` returns, done in a span that ends with it. */
export async function inSpan<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> {
  const span = startSpan(name, options);
  try {
    const result = await span.run(() => work(span));
    span.end();
    return result;
  } catch (error) {
    span.end(failureType(error));
    throw error;
  }
}

/** Returns what may be told of a failure: its reason or its class. Its message may quote a file name. */
export function failureType(error: unknown): string {
  if (error instanceof DomainError) return error.reason;
  return error instanceof Error ? error.name : typeof error;
}
