/**
 * @file Starts OpenTelemetry's SDK, before anything else of a process starts. Spans and metrics are our own and loaded libraries are not
 * patched, so the order of imports does not matter and no module hook is needed. Settings are the SDK's own (OTEL_*): this file
 * looks only whether one names an exporter, since the SDK by itself would send to localhost unasked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { useTelemetryApi } from "../telemetry/api.ts";
import { failureType } from "../telemetry/spans.ts";
import type { Part } from "./lifecycle.ts";
import type { Logger } from "./log.ts";
import { SOFTWARE_VERSION } from "./version.ts";

const NAMES_EXPORTER = /^OTEL_(EXPORTER_|TRACES_EXPORTER$|METRICS_EXPORTER$)/;
/** A collector that answers takes milliseconds; one that does not is not waited for. */
const FLUSH_MS = 2_000;
/** Between two words on exports that fail. */
const QUIET_MS = 10 * 60_000;
const BEGINNING_CHARACTERS = 30;

/** Returns the part to be stopped last, which sends what is not sent yet. Does nothing where no setting names an exporter. */
export async function startTelemetry(
  service: string,
  log: Logger,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Part> {
  const isOn = Object.entries(env).some(([name, value]) => value && NAMES_EXPORTER.test(name));
  if (!isOn) return { name: "telemetry", stop: async () => undefined };
  const api = await import("@opentelemetry/api");
  const { NodeSDK, core, resources } = await import("@opentelemetry/sdk-node");
  const say = sayRarely(log);
  api.diag.setLogger({ error: say, warn: say, info: nothing, debug: nothing, verbose: nothing }, api.DiagLogLevel.WARN);
  core.setGlobalErrorHandler(say);
  const resource = resources.resourceFromAttributes({
    "service.namespace": "radhical",
    "service.name": service,
    "service.version": SOFTWARE_VERSION,
  });
  const sdk = new NodeSDK({
    resource,
    // Not the SDK's default of all: the detector of the process tells its arguments, which are file names, and its user.
    resourceDetectors: [resources.hostDetector, resources.serviceInstanceIdDetector, resources.envDetector],
    // Logs go to standard error.
    logRecordProcessors: [],
  });
  sdk.start();
  useTelemetryApi(api);
  return {
    name: "telemetry",
    stop: async () => {
      useTelemetryApi(undefined);
      const flushed = sdk.shutdown().catch((error: unknown) => say(`cannot stop: ${failureType(error)}`));
      // Referenced: a promise alone would not keep the process alive until then.
      const waiting = new AbortController();
      const late = sleep(FLUSH_MS, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([flushed, late]);
      waiting.abort();
    },
  };
}

const nothing = (): void => undefined;

/** A collector that is away for a day must not fill the log: what begins alike is said again only after a while. */
function sayRarely(log: Logger): (said: unknown) => void {
  const saidMs = new Map<string, number>();
  return (said) => {
    // The SDK says some errors as they are, whatever its types promise.
    const message = said instanceof Error ? said.message : String(said);
    const beginning = message.slice(0, BEGINNING_CHARACTERS);
    if (Date.now() - (saidMs.get(beginning) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    saidMs.set(beginning, Date.now());
    log.warn({ detail: message }, "telemetry");
  };
}
