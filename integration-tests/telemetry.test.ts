/** @file Traces and metrics of the embedded system, and what they must never do to it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
import { z } from "zod";
import { COMMAND, radhical, radhicalSucceeds, temporaryFolder } from "./radhical-command.fixture.ts";
import { writeSeededModels } from "./seeded-models.fixture.ts";
import { writeTissueImage } from "./segmented-image.fixture.ts";
import { startServing, TOKEN } from "./serving.fixture.ts";
import { checkNamesNobody, checkSegmentations, sumOf, traceOf } from "./telemetry-checks.fixture.ts";
import { startReceiver } from "./telemetry-receiver.fixture.ts";

const PATIENT = "doe-jane-1970";

const Segmented = z.array(
  z.object({
    perLevel: z.array(z.object({ level: z.int(), computed: z.int(), accepted: z.int(), rejected: z.int() })),
  }),
);

interface Job {
  readonly folder: string;
  readonly args: readonly string[];
}

/** An image of four tiles and models, and how to have it segmented. */
async function prepare(t: TestContext): Promise<Job> {
  const folder = await temporaryFolder(t);
  const models = await writeSeededModels(join(folder, "models"));
  const image = await writeTissueImage(folder, PATIENT, 611, 503);
  return { folder, args: ["segment", image, "--models", models, "--out", join(folder, "out"), "--tile", "500"] };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : assert.fail("no port");
}

test("radhical segment is one trace with every level in it, its metrics say what it did, and neither names a file", async (t) => {
  const { folder, args } = await prepare(t);
  const receiver = await startReceiver(t);
  const env = { ...receiver.env, RADHICAL_LOG_LEVEL: "debug" };
  const { events, stderr } = await radhicalSucceeds(t, args, { env });
  const last = events.at(-1);
  const { perLevel } = Segmented.parse(last?.event === "result" ? last.value : undefined)[0] ?? assert.fail("no image");

  const trace = traceOf(receiver, "segment");
  checkSegmentations(trace, 1, [1, 2, 3]);
  assert.equal(trace.length, receiver.spans.length, "spans outside of the trace");
  for (const { level, ...pixels } of perLevel) {
    for (const [what, count] of Object.entries(pixels)) {
      assert.ok(what !== "computed" || count > 0, `level ${level} has nothing to compute`);
      assert.equal(sumOf(receiver, `radhical.pixels.${what}`, { level }), count, `level ${level}, ${what}`);
    }
  }
  const units = trace.filter(({ name }) => name === "inference.level");
  assert.equal(sumOf(receiver, "radhical.unit.duration", { kind: "inference.level" }), units.length);
  assert.equal(sumOf(receiver, "radhical.job.duration", { service: "segmentation", state: "succeeded" }), 1);
  assert.ok(sumOf(receiver, "radhical.session.run.duration", { provider: "cpu" }) > 0);

  checkNamesNobody(receiver, [PATIENT, basename(folder)]);
  const traceId = trace[0]?.traceId ?? "";
  const ended = stderr.split("\n").filter((line) => line.includes('"job ended"'));
  assert.ok(ended.length > 0 && ended.every((line) => line.includes(traceId)), "lines of the log without the trace");
  assert.ok(!stderr.includes(PATIENT), "the log names the file");
});

test("a collector that refuses neither breaks a command nor fills its log", async (t) => {
  const { args } = await prepare(t);
  const OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${await freePort()}`;
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_BSP_SCHEDULE_DELAY: "50", OTEL_METRIC_EXPORT_INTERVAL: "100" };
  const { stderr } = await radhicalSucceeds(t, args, { env });
  const words = stderr.split("\n").filter((line) => line !== "");
  assert.ok(words.length <= 2, stderr);
});

test("a collector that never answers does not keep a command from its end", { timeout: 120_000 }, async (t) => {
  const receiver = await startReceiver(t, { answers: false });
  // The SDK would wait for ten minutes.
  const env = { ...receiver.env, OTEL_EXPORTER_OTLP_TIMEOUT: "600000", OTEL_BSP_EXPORT_TIMEOUT: "600000" };
  const missing = ["segment", "nothing.png", "--models", "nowhere", "--out", await temporaryFolder(t)];
  assert.equal((await radhical(t, missing, { env })).code, 1);
  assert.ok(receiver.everything.length > 0, "nothing was sent");
});

test("OpenTelemetry is loaded only where a setting names an exporter", async (t) => {
  const missing = ["segment", "nothing.png", "--models", "nowhere", "--out", await temporaryFolder(t)];
  const loads = async (env: Readonly<Record<string, string>>): Promise<boolean> => {
    const { stderr } = await radhical(t, missing, { env: { NODE_DEBUG: "module", ...env } });
    assert.match(stderr, /node_modules\/pino/);
    return stderr.includes("node_modules/@opentelemetry");
  };
  assert.equal(await loads({ OTEL_SERVICE_NAME: "x", OTEL_TRACES_EXPORTER: "" }), false);
  assert.equal(await loads({ OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none" }), true);
});

/** Returns the samples of a scrape: the value by name and labels, as `name{labels}` with the labels of resource and scope left out. */
async function scrape(port: number): Promise<Map<string, number>> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const samples = new Map<string, number>();
  for (const line of (await response.text()).split("\n")) {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const own = labels.split(",").filter((label) => label !== "" && !label.startsWith("otel_scope_"));
    samples.set(`${name}{${own.sort().join(",")}}`, Number(value));
  }
  return samples;
}

test("Prometheus finds what a service did, and what waits", async (t) => {
  const { folder, args } = await prepare(t);
  const port = await freePort();
  const exporter = {
    ...{ OTEL_METRICS_EXPORTER: "prometheus", OTEL_TRACES_EXPORTER: "none" },
    ...{ OTEL_EXPORTER_PROMETHEUS_HOST: "127.0.0.1", OTEL_EXPORTER_PROMETHEUS_PORT: String(port) },
  };
  const serving = await startServing(t, COMMAND, ["serve"], exporter);
  // The command finds the port taken, as in a shell where the variables are set for all, and goes on without.
  const env = { RADHICAL_TOKEN: TOKEN, ...exporter };
  const { events } = await radhicalSucceeds(t, [...args, "--address", serving.address], { env });
  const last = events.at(-1);
  const { perLevel } = Segmented.parse(last?.event === "result" ? last.value : undefined)[0] ?? assert.fail("no image");

  const samples = await scrape(port);
  const sampleOf = (sample: string): number =>
    samples.get(sample) ?? assert.fail(`no ${sample} in\n${[...samples.keys()].join("\n")}`);
  for (const { level, computed, accepted, rejected } of perLevel) {
    assert.equal(sampleOf(`radhical_pixels_computed_total{level="${level}"}`), computed);
    assert.equal(sampleOf(`radhical_pixels_accepted_total{level="${level}"}`), accepted);
    assert.equal(sampleOf(`radhical_pixels_rejected_total{level="${level}"}`), rejected);
  }
  assert.equal(sampleOf('radhical_unit_duration_count{kind="segmentation.assemble",outcome="done"}'), 1);
  assert.equal(sampleOf('radhical_job_duration_count{kind="segment",service="segmentation",state="succeeded"}'), 1);
  assert.equal(
    sampleOf('radhical_grpc_call_duration_count{code="OK",method="radhical.v1.SegmentationService/Submit"}'),
    1,
  );
  assert.ok(sampleOf('radhical_session_run_duration_count{provider="cpu"}') > 0);
  assert.equal(sampleOf('radhical_queue_lag{group="inference-level-1",topic="inference.level-1"}'), 0);
  for (const name of [PATIENT, basename(folder)])
    assert.ok(![...samples.keys()].some((sample) => sample.includes(name)));
  serving.child.kill("SIGTERM");
  assert.equal((await serving.ended).code, 0);
});
