/** @file What graphs cost, as metrics tell it. */
import { secondsHistogram } from "../telemetry/instruments.ts";
import type { Provider } from "./provider.ts";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const runs = secondsHistogram(
  "radhical.session.run.duration",
  "Runs of a session, without the wait for a thread",
  SECONDS,
);

/** Tells of a session's run on an execution provider. */
export const recordRun = (provider: Provider, seconds: number): void => runs(seconds, { provider });
