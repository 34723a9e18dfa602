/** @file The logger: pino, JSON on standard error, one event per line, data in fields; lines within a trace name it. */
import { destination, type Logger, pino } from "pino";
import { traceFields } from "../telemetry/trace-context.ts";

export type { Logger };

/** Returns a logger. Standard output belongs to what a command prints for its user. */
export const createLogger = (service: string, level: string): Logger =>
  pino(
    { level, base: { service }, redact: ["*.secretKey", "*.authorization", "*.token"], mixin: traceFields },
    destination(2),
  );
