/** @file How a service is put together and run: `main.ts` of every service is one call of `runServices`. */
import { isIPv4 } from "node:net";
import type { Server } from "nice-grpc";
import { DomainError } from "../errors.ts";
import { JobsServiceDefinition } from "../proto/radhical/v1/jobs.ts";
import { collectLessOften } from "./collections.ts";
import { readConfig, type ServiceConfig } from "./config.ts";
import { jobsRpc } from "./jobs/jobs-rpc.ts";
import { endSoon, firstFailure, type Part, runUntilSignal, stopAll } from "./lifecycle.ts";
import { createLogger, type Logger } from "./log.ts";
import { openPlatform, type Platform } from "./platform.ts";
import { type RunningServer, startServer } from "./server.ts";
import { SERVICE_NAMES, type ServiceName } from "./service-names.ts";
import { startTelemetry } from "./telemetry.ts";

/** The services that run networks. */
const COMPUTING: readonly ServiceName[] = ["training", "inference"];

/** A service that has started its workers. */
export interface StartedService {
  /** In order of starting. */
  readonly parts: readonly Part[];
  /** Adds the service's RPCs to a server. */
  readonly add: (server: Server) => void;
}

export interface ServiceOptions {
  /** Inference: compute this level only. */
  readonly level?: number | undefined;
}

/** A service: a name, and how to start it on a platform. */
export interface ServiceDefinition {
  readonly name: ServiceName;
  readonly start: (platform: Platform, options: ServiceOptions) => Promise<StartedService>;
}

/** Services that run in this process behind one server. */
export interface RunningServices extends Part {
  readonly server: RunningServer;
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || (isIPv4(host) && host.startsWith("127.")) || host === "[::1]";

/** Throws INSECURE_LISTEN where others could reach a server that has neither TLS nor authentication. */
function checkExposure(config: ServiceConfig, insecure: boolean, log: Logger): void {
  if (isLoopback(config.listen.host)) return;
  if (!insecure) {
    const message = `Cannot listen on "${config.listen.host}" without TLS: anybody who reaches it could read and change everything; listen on 127.0.0.1, or say --insecure`;
    throw new DomainError("failedPrecondition", "INSECURE_LISTEN", message);
  }
  log.warn(
    { host: config.listen.host, token: config.token !== undefined },
    "INSECURE: listening beyond this machine without TLS",
  );
}

/** A queue in the process reaches nobody else: units for services that are not in it wait for ever. Fit for a look, not for work. */
function warnIfAlone(
  definitions: readonly ServiceDefinition[],
  config: ServiceConfig,
  { level }: ServiceOptions,
  log: Logger,
): void {
  const isWhole = level === undefined && SERVICE_NAMES.every((name) => definitions.some((own) => own.name === name));
  if (isWhole || config.queue.kind === "kafka") return;
  log.warn(
    { cure: "set KAFKA_BROKERS and S3_ENDPOINT, or serve all services in one process" },
    "ALONE: no other service shares this queue",
  );
}

/** A named device that does not come up is an error before any work begins; `auto` always finds one, and is opened when first needed. */
async function checkDevice({ config, runtime }: Platform): Promise<void> {
  const { device } = config.runtime;
  if (device === "cuda" || device === "webgpu") await runtime();
}

/** Starts services on one platform behind one server. What had started is stopped again if anything fails. */
export async function startServices(
  definitions: readonly ServiceDefinition[],
  config: ServiceConfig,
  log: Logger,
  options: ServiceOptions & { readonly insecure?: boolean | undefined; readonly resumesJobs?: boolean } = {},
): Promise<RunningServices> {
  checkExposure(config, options.insecure ?? false, log);
  warnIfAlone(definitions, config, options, log);
  const platform = await openPlatform(config, log, options.resumesJobs);
  const parts: Part[] = [platform];
  try {
    if (definitions.some(({ name }) => COMPUTING.includes(name))) {
      collectLessOften();
      await checkDevice(platform);
    }
    const started: StartedService[] = [];
    for (const definition of definitions) {
      const service = await definition.start(platform, options);
      parts.push(...service.parts);
      started.push(service);
    }
    const add = (server: Server): void => {
      server.add(JobsServiceDefinition, jobsRpc(platform));
      for (const service of started) service.add(server);
    };
    const server = await startServer({ ...config.listen, token: config.token, log, add });
    parts.push(server);
    const failed = firstFailure(parts);
    return { name: "services", server, ...(failed && { failed }), stop: () => stopAll(parts, log) };
  } catch (error) {
    await stopAll(parts, log);
    throw error;
  }
}

/** Runs services until a signal. A failure to start is logged with what to do, and the process exits with 1. */
export async function runServices(
  definitions: readonly ServiceDefinition[],
  options: ServiceOptions & { readonly insecure?: boolean | undefined } = {},
): Promise<void> {
  const name = definitions.length === 1 ? (definitions[0]?.name ?? "radhical") : "radhical";
  try {
    const config = readConfig(process.env);
    const log = createLogger(name, config.logLevel);
    const telemetry = await startTelemetry(name, log);
    const services = await startServices(definitions, config, log, options).catch(async (error: unknown) => {
      await telemetry.stop();
      endSoon(log);
      throw error;
    });
    const ended = runUntilSignal([telemetry, services], log, config.graceMs);
    // Not before signals are waited for: whoever reads it may send one at once.
    log.info({ address: services.server.address, services: definitions.map((own) => own.name) }, "listening");
    await ended;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    createLogger(name, "error").error({ reason: error.reason }, error.message);
    process.exitCode = 1;
  }
}
