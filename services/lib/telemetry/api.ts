/**
 * @file OpenTelemetry's API once telemetry is on. Until then nothing of it is loaded: no command starts slower for what it does not
 * use (loading the API takes 17 ms of CPU time, asking here nothing).
 */
import type * as Api from "@opentelemetry/api";

let loaded: typeof Api | undefined;

/** Returns the API, or undefined while telemetry is off. */
export const telemetryApi = (): typeof Api | undefined => loaded;

/** Turns telemetry on for this process, or off again. The SDK has to be started before: meters do not find it later. */
export function useTelemetryApi(api: typeof Api | undefined): void {
  loaded = api;
}
