/** @file The services as the command sees them: clients on an address, given or embedded. */
import type { Client } from "nice-grpc";
import { startEmbedded } from "../embedded/embedded.ts";
import { DatasetsServiceDefinition } from "../lib/proto/radhical/v1/datasets.ts";
import { ExtractionServiceDefinition } from "../lib/proto/radhical/v1/extraction.ts";
import { InferenceServiceDefinition } from "../lib/proto/radhical/v1/inference.ts";
import { JobsServiceDefinition } from "../lib/proto/radhical/v1/jobs.ts";
import { SegmentationServiceDefinition } from "../lib/proto/radhical/v1/segmentation.ts";
import { TrainingServiceDefinition } from "../lib/proto/radhical/v1/training.ts";
import { TuningServiceDefinition } from "../lib/proto/radhical/v1/tuning.ts";
import { type Connection, connect } from "../lib/service/client.ts";
import { SERVICE_NAMES, type ServiceName } from "../lib/service/service.ts";

export interface Services {
  readonly datasets: Client<DatasetsServiceDefinition>;
  readonly extraction: Client<ExtractionServiceDefinition>;
  readonly training: Client<TrainingServiceDefinition>;
  readonly inference: Client<InferenceServiceDefinition>;
  readonly tuning: Client<TuningServiceDefinition>;
  readonly segmentation: Client<SegmentationServiceDefinition>;
  /** Jobs of a service. */
  jobs(service: ServiceName): Client<JobsServiceDefinition>;
  close(): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns clients of the services at `address`, of which `RADHICAL_<SERVICE>_ADDRESS` overrides one; without an address the services are
 * started in this process, with their objects in `objectsFolder`.
 */
export async function openServices(
  address: string | undefined,
  objectsFolder: string,
  env: Environment,
): Promise<Services> {
  const embedded = address === undefined ? await startEmbedded(objectsFolder, env) : undefined;
  const token = embedded?.token ?? env.RADHICAL_TOKEN;
  const connections = new Map<string, Connection>();
  const connectionOf = (service: ServiceName): Connection => {
    const own = embedded ? undefined : env[`RADHICAL_${service.toUpperCase()}_ADDRESS`];
    const target = own ?? embedded?.address ?? address ?? "";
    const connection = connections.get(target) ?? connect(target, token);
    connections.set(target, connection);
    return connection;
  };
  for (const service of SERVICE_NAMES) connectionOf(service);
  return {
    datasets: connectionOf("datasets").client(DatasetsServiceDefinition),
    extraction: connectionOf("extraction").client(ExtractionServiceDefinition),
    training: connectionOf("training").client(TrainingServiceDefinition),
    inference: connectionOf("inference").client(InferenceServiceDefinition),
    tuning: connectionOf("tuning").client(TuningServiceDefinition),
    segmentation: connectionOf("segmentation").client(SegmentationServiceDefinition),
    jobs: (service) => connectionOf(service).client(JobsServiceDefinition),
    close: async () => {
      for (const connection of connections.values()) connection.close();
      await embedded?.services.stop();
    },
  };
}
