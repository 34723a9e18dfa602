/** @file Ctrl-C: the command ends as if its work had failed, so that its services stop in order and save where they are. */
import { DomainError } from "../lib/errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Returns what `work` returns, or throws cancelled INTERRUPTED on the first signal. A second signal ends the process at once. */
export async function untilInterrupted<T>(work: Promise<T>): Promise<T> {
  let interrupt = (): void => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () =>
      reject(new DomainError("cancelled", "INTERRUPTED", "Stopped; the same command goes on from here"));
  });
  // What is left of the work fails once its services are gone; nobody waits for it then.
  work.catch(() => undefined);
  for (const signal of SIGNALS) process.once(signal, interrupt);
  try {
    return await Promise.race([work, interrupted]);
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupt);
  }
}
