/** @file Telemetry that a test records and reads, by the real SDK and without a collector. */
import type { TestContext } from "node:test";
import * as api from "@opentelemetry/api";
import { metrics, NodeSDK, tracing } from "@opentelemetry/sdk-node";
import { useTelemetryApi } from "./api.ts";
import type { Attributes } from "./attributes.ts";

/** What was recorded. */
export interface Recorded {
  /** Spans that have ended, in the order of their ends. */
  spans(): readonly {
    readonly name: string;
    readonly traceId: string;
    readonly spanId: string;
    readonly parentSpanId: string | undefined;
    readonly attributes: Attributes;
  }[];
  /** Returns a counter's value for these attributes; 0 if it never counted for them. */
  counted(name: string, attributes: Attributes): Promise<number>;
}

const spans = new tracing.InMemorySpanExporter();
const reader = new (class extends metrics.MetricReader {
  protected override onForceFlush = async (): Promise<void> => undefined;
  protected override onShutdown = async (): Promise<void> => undefined;
})();
let isStarted = false;

/** Turns telemetry on for a test. One at a time: a process has one telemetry. */
export function record(t: TestContext): Recorded {
  // What is registered with the API stays so for the life of a process.
  if (!isStarted) startSdk();
  isStarted = true;
  spans.reset();
  useTelemetryApi(api);
  t.after(() => useTelemetryApi(undefined));
  return {
    spans: () =>
      spans.getFinishedSpans().map((span) => {
        const { traceId, spanId } = span.spanContext();
        const { name, attributes, parentSpanContext } = span;
        return { name, traceId, spanId, parentSpanId: parentSpanContext?.spanId, attributes: plain(attributes) };
      }),
    counted: async (name, attributes) => {
      const { resourceMetrics } = await reader.collect();
      const wanted = JSON.stringify(attributes);
      for (const { metrics: measured } of resourceMetrics.scopeMetrics) {
        for (const { descriptor, dataPoints } of measured) {
          if (descriptor.name !== name) continue;
          for (const point of dataPoints) if (JSON.stringify(point.attributes) === wanted) return Number(point.value);
        }
      }
      return 0;
    },
  };
}

const plain = (attributes: api.Attributes): Attributes =>
  Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]));

const startSdk = (): void =>
  new NodeSDK({
    autoDetectResources: false,
    spanProcessors: [new tracing.SimpleSpanProcessor(spans)],
    metricReaders: [reader],
    logRecordProcessors: [],
  }).start();
