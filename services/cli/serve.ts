/** @file `radhical serve`: all services, or one, until a signal. */
import { ALL_SERVICES } from "../embedded/embedded.ts";
import { invalid } from "../lib/errors.ts";
import { runServices } from "../lib/service/service.ts";
import { MAX_LEVELS } from "../lib/service/topics.ts";

export interface ServeOptions {
  readonly level?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/** Runs services until SIGINT or SIGTERM. Throws OPTIONS_INVALID. */
export async function serve(name: string | undefined, { level, insecure }: ServeOptions): Promise<void> {
  const definitions = name === undefined ? ALL_SERVICES : ALL_SERVICES.filter((service) => service.name === name);
  if (definitions.length === 0) {
    throw invalid(
      "OPTIONS_INVALID",
      `Cannot serve "${name}": the services are ${ALL_SERVICES.map((service) => service.name).join(", ")}`,
    );
  }
  if (level === undefined) return runServices(definitions, { insecure });
  const number = Number(level);
  if (name !== "inference" || !Number.isInteger(number) || number < 1 || number > MAX_LEVELS) {
    throw invalid(
      "OPTIONS_INVALID",
      `Cannot serve level "${level}" of "${name ?? "all"}": --level takes 1 to ${MAX_LEVELS} and goes with inference`,
    );
  }
  return runServices(definitions, { insecure, level: number });
}
