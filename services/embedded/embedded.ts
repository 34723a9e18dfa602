/** @file Every service in one process. */
import { randomBytes } from "node:crypto";
import { datasets } from "../datasets/service.ts";
import { extraction } from "../extraction/service.ts";
import { inference } from "../inference/service.ts";
import { readConfig } from "../lib/service/config.ts";
import { createLogger } from "../lib/service/log.ts";
import { type RunningServices, type ServiceDefinition, startServices } from "../lib/service/service.ts";
import { segmentation } from "../segmentation/service.ts";
import { training } from "../training/service.ts";
import { tuning } from "../tuning/service.ts";

/** All services, in the order of the method's steps. */
export const ALL_SERVICES: readonly ServiceDefinition[] = [
  datasets,
  extraction,
  training,
  inference,
  tuning,
  segmentation,
];

export interface Embedded {
  readonly address: string;
  readonly token: string;
  readonly services: RunningServices;
}

/**
 * Starts all services for one run: a port chosen by the system, a token of its own (hosts are shared), objects in a folder.
 * Settings that choose other adapters are for deployments and are not read.
 */
export async function startEmbedded(
  objectsFolder: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Embedded> {
  const token = randomBytes(24).toString("hex");
  const config = readConfig({
    RADHICAL_LOG_LEVEL: env.RADHICAL_LOG_LEVEL || "error",
    RADHICAL_WORKERS: env.RADHICAL_WORKERS,
    RADHICAL_DEVICE: env.RADHICAL_DEVICE,
    RADHICAL_STALL_MS: env.RADHICAL_STALL_MS,
    RADHICAL_MAX_IMAGE_PIXELS: env.RADHICAL_MAX_IMAGE_PIXELS,
    RADHICAL_MAX_UPLOAD_BYTES: env.RADHICAL_MAX_UPLOAD_BYTES,
    RADHICAL_LISTEN: "127.0.0.1:0",
    RADHICAL_OBJECTS: objectsFolder,
    RADHICAL_TOKEN: token,
  });
  const services = await startServices(ALL_SERVICES, config, createLogger("radhical", config.logLevel), {
    resumesJobs: false,
  });
  return { address: services.server.address, token, services };
}
