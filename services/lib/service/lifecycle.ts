/** @file Starting and stopping long-lived parts. */
import type { Logger } from "./log.ts";

/** A long-lived part of a process. `stop` is idempotent. */
export interface Part {
  readonly name: string;
  stop(): Promise<void>;
}

/** Stops parts in reverse order of starting; a part that fails to stop does not keep the others running. */
export async function stopAll(parts: readonly Part[], log: Logger): Promise<void> {
  for (const part of [...parts].reverse()) {
    await part.stop().catch((error: unknown) => log.error({ err: error, part: part.name }, "part failed to stop"));
  }
}

/**
 * Returns after SIGINT or SIGTERM, when every part has stopped. A second signal, or `graceMs` without an end, forces the exit.
 */
export async function runUntilSignal(parts: readonly Part[], log: Logger, graceMs: number): Promise<void> {
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => resolve(name));
  });
  log.info({ signal }, "stopping");
  const force = (): never => process.exit(1);
  process.once("SIGINT", force);
  const timer = setTimeout(() => {
    log.error({ graceMs }, "did not stop in time");
    force();
  }, graceMs);
  timer.unref();
  await stopAll(parts, log);
}
