/** @file The services as the command sees them: clients on an address, given or embedded. */
import { join } from "node:path";
import type { Client } from "nice-grpc";
import { type Embedded, startEmbedded } from "../embedded/embedded.ts";
import { DomainError, invalid } from "../lib/errors.ts";
import { DatasetsServiceDefinition } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractionServiceDefinition } from "../lib/proto/radhical/v1/extraction.ts";
import { InferenceServiceDefinition } from "../lib/proto/radhical/v1/inference.ts";
import { JobsServiceDefinition } from "../lib/proto/radhical/v1/jobs.ts";
import { SegmentationServiceDefinition } from "../lib/proto/radhical/v1/segmentation.ts";
import { TrainingServiceDefinition } from "../lib/proto/radhical/v1/training.ts";
import { TuningServiceDefinition } from "../lib/proto/radhical/v1/tuning.ts";
import type { Device } from "../lib/runtime/provider.ts";
import { type Connection, connect } from "../lib/service/client.ts";
import { Token } from "../lib/service/config.ts";
import { SERVICE_NAMES, type ServiceName } from "../lib/service/service-names.ts";
import type { Output } from "./output.ts";

export interface Services {
  readonly datasets: Client<DatasetsServiceDefinition>;
  readonly extraction: Client<ExtractionServiceDefinition>;
  readonly training: Client<TrainingServiceDefinition>;
  readonly inference: Client<InferenceServiceDefinition>;
  readonly tuning: Client<TuningServiceDefinition>;
  readonly segmentation: Client<SegmentationServiceDefinition>;
  /** Jobs of a service. */
  jobs(service: ServiceName): Client<JobsServiceDefinition>;
  /** Rejects if services of this process can go on no longer, for instance because the disk is full. Never resolves. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/** Returns the name of the setting that overrides a service's address. */
export const addressVariable = (service: ServiceName): string => `RADHICAL_${service.toUpperCase()}_ADDRESS`;

type Environment = Readonly<Record<string, string | undefined>>;

/** Of a first answer, which is a read of the store. */
const PATIENCE_MS = 10_000;

/** Whether services are those of this process: there is neither a common address nor one for each of them. */
const isEmbedded = (address: string | undefined, env: Environment): boolean =>
  address === undefined && !SERVICE_NAMES.every((name) => env[addressVariable(name)]);

/**
 * Throws SERVICES_UNREACHABLE or TOKEN_WRONG before any work starts. Every service answers for jobs, so one that does not exist is a
 * question to which all have the same answer.
 */
export async function checkReachable(
  address: string,
  connection: Connection,
  otherwise = "or leave --address out to work in this process",
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const refuse = (kind: "unavailable" | "unauthenticated", reason: string, message: string, cause: unknown): never => {
    throw new DomainError(kind, reason, message, { cause });
  };
  const signal = AbortSignal.timeout(patienceMs);
  try {
    await connection.client(JobsServiceDefinition).getJob({ jobId: "none" }, { signal });
  } catch (error) {
    if (signal.aborted) {
      const message = `Cannot reach services at "${address}": something takes connections there and says nothing; check the address`;
      return refuse("unavailable", "SERVICES_UNREACHABLE", message, error);
    }
    if (!(error instanceof DomainError)) {
      const message = `Cannot use "${address}": what answers there is not radhical; give the address of radhical serve`;
      return refuse("unavailable", "SERVICES_UNREACHABLE", message, error);
    }
    if (error.kind === "unavailable") {
      const message = `Cannot reach services at "${address}"; start them there with radhical serve, ${otherwise}`;
      return refuse("unavailable", "SERVICES_UNREACHABLE", message, error);
    }
    if (error.kind !== "unauthenticated") return;
    const message = `Cannot use the services at "${address}": set RADHICAL_TOKEN to the token that they were started with`;
    return refuse("unauthenticated", "TOKEN_WRONG", message, error);
  }
}

function rejectOnFailure(embedded: Embedded | undefined): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    void embedded?.services.failed?.then((cause) => {
      const message = `Cannot go on: ${cause.message}`;
      reject(new DomainError("failedPrecondition", "SERVICES_FAILED", message, { cause }));
    });
  });
  // Whoever waits for a job hears of it; nobody may be waiting when it happens.
  failed.catch(() => undefined);
  return failed;
}

/** One that no service can have been started with cannot be sent either. Throws CONFIG_INVALID. */
function checkToken(token: string): void {
  const problem = Token.safeParse(token).error?.issues[0]?.message;
  if (problem !== undefined) throw invalid("CONFIG_INVALID", `Cannot use RADHICAL_TOKEN: it ${problem}`);
}

function checkDevice(address: string | undefined, device: Device | undefined, env: Environment): void {
  if (device === undefined || isEmbedded(address, env)) return;
  const where = address === undefined ? "the services that RADHICAL_<SERVICE>_ADDRESS name" : `--address "${address}"`;
  const cure = "leave --device out, and set RADHICAL_DEVICE where those services are started";
  throw invalid("OPTIONS_INVALID", `Cannot use --device "${device}" with ${where}: ${cure}`);
}

/**
 * Returns clients of the services at `address`, of which `RADHICAL_<SERVICE>_ADDRESS` overrides one; with neither an address nor all
 * of these the services are started in this process, with their objects in `objectsFolder`, and compute on `device`. Throws SERVICES_UNREACHABLE, TOKEN_WRONG,
 * OPTIONS_INVALID for a device of services elsewhere, and DEVICE_UNAVAILABLE.
 */
export async function openServices(
  address: string | undefined,
  objectsFolder: string,
  env: Environment,
  device?: Device,
): Promise<Services> {
  checkDevice(address, device, env);
  const own = device === undefined ? env : { ...env, RADHICAL_DEVICE: device };
  const embedded = isEmbedded(address, env) ? await startEmbedded(objectsFolder, own) : undefined;
  const token = embedded?.token ?? (env.RADHICAL_TOKEN || undefined);
  if (token !== undefined) checkToken(token);
  const connections = new Map<string, Connection>();
  const connectionOf = (service: ServiceName): Connection => {
    const own = embedded ? undefined : env[addressVariable(service)];
    const target = own || (embedded?.address ?? address ?? "");
    const connection = connections.get(target) ?? connect(target, token);
    connections.set(target, connection);
    return connection;
  };
  const close = async (): Promise<void> => {
    for (const connection of connections.values()) connection.close();
    await embedded?.services.stop();
  };
  for (const service of SERVICE_NAMES) connectionOf(service);
  try {
    if (!embedded) for (const [target, connection] of connections) await checkReachable(target, connection);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    datasets: connectionOf("datasets").client(DatasetsServiceDefinition),
    extraction: connectionOf("extraction").client(ExtractionServiceDefinition),
    training: connectionOf("training").client(TrainingServiceDefinition),
    inference: connectionOf("inference").client(InferenceServiceDefinition),
    tuning: connectionOf("tuning").client(TuningServiceDefinition),
    segmentation: connectionOf("segmentation").client(SegmentationServiceDefinition),
    failed: rejectOnFailure(embedded),
    jobs: (service) => connectionOf(service).client(JobsServiceDefinition),
    close,
  };
}

/** Where the services of a piece of work are: elsewhere, or in this process with their objects below what it writes. */
interface Placement {
  readonly address?: string | undefined;
  readonly device?: Device | undefined;
  readonly out: string;
}

/**
 * Returns clients as `openServices` does. Work in this process says so where servers are named: it keeps its objects in its folder and its
 * queues to itself, or a researcher's command would join the groups of whatever deployment the shell has settings of.
 */
export async function openServicesOf(
  { address, device, out }: Placement,
  output: Output,
  env: Environment,
): Promise<Services> {
  const named = ["KAFKA_BROKERS", "S3_ENDPOINT", ...SERVICE_NAMES.map(addressVariable)].filter((name) => env[name]);
  if (isEmbedded(address, env) && named.length > 0)
    output.note(
      `working in this process, without the servers in ${named.join(" and ")}: --address, or RADHICAL_<SERVICE>_ADDRESS for every service, says where services listen`,
    );
  return openServices(address, join(out, ".radhical"), env, device);
}
