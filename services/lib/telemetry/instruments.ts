/** @file Metrics: instruments that are made when they are first used with telemetry on, and that never throw. */
import type { Meter } from "@opentelemetry/api";
import { telemetryApi } from "./api.ts";
import { type Attributes, defined } from "./attributes.ts";

/** What an instrument is: a stable name, its unit by UCUM, a sentence. */
export interface InstrumentOptions {
  readonly unit: string;
  readonly description: string;
}

/** Records a value. Attributes are few and of few values each: never an id. */
export type Recorder = (value: number, attributes?: Attributes) => void;

/** One value of a gauge. */
export interface Observation {
  readonly value: number;
  readonly attributes: Attributes;
}

const METER = "radhical";

/** What is observed belongs to the work, what observing it costs does not: a failure here is the SDK's to report. */
function recorder(make: (meter: Meter) => Recorder): Recorder {
  let made: Recorder | undefined;
  return (value, attributes = {}) => {
    const api = telemetryApi();
    if (!api) return;
    try {
      made ??= make(api.metrics.getMeter(METER));
      made(value, defined(attributes));
    } catch (error) {
      api.diag.error("cannot record a metric", error);
    }
  };
}

/** Returns a counter: a sum that only grows. */
export const counter = (name: string, options: InstrumentOptions): Recorder =>
  recorder((meter) => {
    const made = meter.createCounter(name, options);
    return (value, attributes) => made.add(value, attributes);
  });

/** Returns a histogram of seconds with these bounds. */
export const secondsHistogram = (name: string, description: string, bounds: readonly number[]): Recorder =>
  recorder((meter) => {
    const advice = { explicitBucketBoundaries: [...bounds] };
    const made = meter.createHistogram(name, { unit: "s", description, advice });
    return (value, attributes) => made.record(value, attributes);
  });

/** Has `read` called at every export or scrape. Returns what ends it. A read that fails gives no values that time. */
export function observeGauge(
  name: string,
  options: InstrumentOptions,
  read: () => Promise<readonly Observation[]>,
): () => void {
  const api = telemetryApi();
  if (!api) return () => undefined;
  const gauge = api.metrics.getMeter(METER).createObservableGauge(name, options);
  const observe = async (result: { observe(value: number, attributes: Attributes): void }): Promise<void> => {
    for (const { value, attributes } of await read()) result.observe(value, defined(attributes));
  };
  gauge.addCallback(observe);
  return () => gauge.removeCallback(observe);
}
