/** @file A collector for tests: takes OTLP over HTTP as JSON, and tells what spans and measurements came. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { TestContext } from "node:test";
import { z } from "zod";

const Value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.coerce.number() }).transform(({ intValue }) => intValue),
  z.object({ doubleValue: z.number() }).transform(({ doubleValue }) => doubleValue),
  z.object({ boolValue: z.boolean() }).transform(({ boolValue }) => boolValue),
  z.unknown().transform((other) => JSON.stringify(other)),
]);
const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .transform((list) => Object.fromEntries(list.map(({ key, value }) => [key, value])));
const Resource = z.object({ attributes: Attributes });

const Traces = z.object({
  resourceSpans: z.array(
    z.object({
      resource: Resource,
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().default(""),
              name: z.string(),
              attributes: Attributes,
              status: z.object({ code: z.number().default(0) }).default({ code: 0 }),
            }),
          ),
        }),
      ),
    }),
  ),
});

const Points = z.object({
  dataPoints: z.array(
    z.object({
      attributes: Attributes,
      asInt: z.coerce.number().optional(),
      asDouble: z.number().optional(),
      count: z.coerce.number().optional(),
      sum: z.number().optional(),
    }),
  ),
});
const Metrics = z.object({
  resourceMetrics: z.array(
    z.object({
      resource: Resource,
      scopeMetrics: z.array(
        z.object({
          metrics: z.array(
            z.object({
              name: z.string(),
              unit: z.string().default(""),
              sum: Points.optional(),
              gauge: Points.optional(),
              histogram: Points.optional(),
            }),
          ),
        }),
      ),
    }),
  ),
});

/** A span as it came. */
export interface ReceivedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the root of its trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly isFailed: boolean;
}

/** A process's last word on a measurement: of a histogram the number of values. */
export interface ReceivedPoint {
  readonly process: string;
  readonly name: string;
  readonly unit: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly value: number;
}

/** A running collector. */
export interface Receiver {
  /** What makes a process export to it. */
  readonly env: Readonly<Record<string, string>>;
  readonly spans: readonly ReceivedSpan[];
  points(): readonly ReceivedPoint[];
  /** All that came, as it came. */
  readonly everything: readonly string[];
}

const ERROR = 2;

const spansIn = (body: unknown): ReceivedSpan[] =>
  Traces.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ status, ...span }) => ({
        ...span,
        service: String(resource.attributes["service.name"]),
        isFailed: status.code === ERROR,
      })),
    ),
  );

const pointsIn = (body: unknown): ReceivedPoint[] =>
  Metrics.parse(body).resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.flatMap(({ name, unit, sum, gauge, histogram }) =>
        [sum, gauge, histogram].flatMap((kind) =>
          (kind?.dataPoints ?? []).map(({ attributes, asInt, asDouble, count }) => ({
            ...{ process: String(resource.attributes["service.instance.id"]), name, unit, attributes },
            value: asInt ?? asDouble ?? count ?? Number.NaN,
          })),
        ),
      ),
    ),
  );

/** Starts a collector. `answers`: false for one that takes everything and never says a word. */
export async function startReceiver(t: TestContext, { answers = true } = {}): Promise<Receiver> {
  const spans: ReceivedSpan[] = [];
  const points = new Map<string, ReceivedPoint>();
  const everything: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    everything.push(body);
    if (!answers) return;
    if (request.url === "/v1/traces") spans.push(...spansIn(JSON.parse(body)));
    else if (request.url === "/v1/metrics") {
      for (const point of pointsIn(JSON.parse(body))) {
        points.set(JSON.stringify([point.process, point.name, point.attributes]), point);
      }
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
  };
  return { env, spans, points: () => [...points.values()], everything };
}
