/** @file A command as the root of a trace: all that it has services do belongs to it. */
import { endSoon } from "../lib/service/lifecycle.ts";
import { createLogger } from "../lib/service/log.ts";
import { startTelemetry } from "../lib/service/telemetry.ts";
import { inSpan } from "../lib/telemetry/spans.ts";

/** Runs a command's work within a span; what was recorded is sent before this returns. */
export async function traced(command: string, work: () => Promise<void>): Promise<void> {
  const log = createLogger("radhical", "warn");
  const telemetry = await startTelemetry("radhical", log);
  try {
    await inSpan(`radhical ${command}`, {}, work);
  } finally {
    await telemetry.stop();
    endSoon(log);
  }
}
