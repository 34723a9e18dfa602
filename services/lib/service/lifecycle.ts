/** @file Starting and stopping long-lived parts. */
import type { Logger } from "./log.ts";

/** A long-lived part of a process. `stop` is idempotent. */
export interface Part {
  readonly name: string;
  /** Resolves if the part can do its work no longer; the process must end, so that its supervisor starts another. */
  readonly failed?: Promise<Error>;
  stop(): Promise<void>;
}

/** Returns what starts side by side, or, once all of it has started or failed, stops what did start and throws the first failure. */
export async function startTogether<T extends Pick<Part, "stop">>(starts: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(starts);
  const started = settled.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const failure = settled.find((start) => start.status === "rejected");
  if (!failure) return started;
  await Promise.allSettled(started.map((part) => part.stop()));
  throw failure.reason;
}

/** Stops parts in reverse order of starting; a part that fails to stop does not keep the others running. */
export async function stopAll(parts: readonly Part[], log: Logger): Promise<void> {
  for (const part of [...parts].reverse()) {
    await part.stop().catch((error: unknown) => log.error({ err: error, part: part.name }, "part failed to stop"));
  }
}

/** Returns a promise of the first failure among parts, or undefined if none of them can fail. */
export function firstFailure(parts: readonly Part[]): Promise<Error> | undefined {
  const failures = parts.flatMap(({ failed }) => (failed ? [failed] : []));
  return failures.length === 0 ? undefined : Promise.race(failures);
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** How long a process may go on for what its parts left behind. */
const LINGER_MS = 500;

/**
 * Returns when every part has stopped, after SIGINT, SIGTERM or the failure of a part (the exit code is 1 then); the process ends soon
 * after. A second signal, or `graceMs` without an end, forces the exit.
 */
export async function runUntilSignal(parts: readonly Part[], log: Logger, graceMs: number): Promise<void> {
  const reason = await new Promise<NodeJS.Signals | Error>((resolve) => {
    const end = (why: NodeJS.Signals | Error): void => {
      for (const name of SIGNALS) process.off(name, end);
      resolve(why);
    };
    for (const name of SIGNALS) process.once(name, end);
    void firstFailure(parts)?.then(end);
  });
  if (reason instanceof Error) {
    log.error({ err: reason }, "a part failed");
    process.exitCode = 1;
  } else log.info({ signal: reason }, "stopping");
  const force = (): never => process.exit(1);
  for (const name of SIGNALS) process.once(name, force);
  const timer = setTimeout(() => {
    log.error({ graceMs }, "did not stop in time");
    force();
  }, graceMs);
  timer.unref();
  await stopAll(parts, log);
  clearTimeout(timer);
  endSoon(log);
}

/**
 * Ends the process soon even if something that was stopped still holds it. kafkajs leaves a connection open that came to be while it was
 * told to disconnect, as after the death of a broker; an export to a collector that does not answer goes on for as long as its timeout.
 */
export function endSoon(log: Logger): void {
  setTimeout(() => {
    log.warn({ resources: process.getActiveResourcesInfo() }, "ended although something was left behind");
    process.exit();
  }, LINGER_MS).unref();
}
