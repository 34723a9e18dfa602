/** @file The logger: pino, JSON on standard error, one event per line, data in fields. */
import { destination, type Logger, pino } from "pino";

export type { Logger };

/** Returns a logger. Standard output belongs to what a command prints for its user. */
export const createLogger = (service: string, level: string): Logger =>
  pino({ level, base: { service }, redact: ["*.secretKey", "*.authorization", "*.token"] }, destination(2));
