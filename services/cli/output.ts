/** @file What the command tells while it works: lines on standard error for people, JSON lines on standard output for machines. */
import { formatDuration } from "../lib/service/duration.ts";

/** The seven steps of the method. */
export const STEPS = ["patches", "lists", "databases", "training", "maps", "thresholds", "test"] as const;
export type Step = (typeof STEPS)[number];

/** What `--json` does, for whoever asks for help. */
export const JSON_HELP = "one JSON object per line on standard output";

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly unit: string;
  readonly detail: string;
}

export interface Output {
  /** A step begins. */
  step(step: Step): void;
  /** Work within a step goes on. */
  progress(what: string, progress: Progress): void;
  /** Something worth knowing. */
  note(text: string): void;
  /** The result, once, at the end: `text` for people, `value` for machines. */
  result(text: string, value: unknown): void;
  failure(reason: string, message: string): void;
}

/** The longer a piece of work takes, the less often it is worth a line. */
const REPORT_EVERY_MS = { least: 1_000, most: 15_000, ofElapsed: 0.1 } as const;

/** One piece of work from its first report on. */
interface Watched {
  readonly what: string;
  readonly first: number;
  readonly startMs: number;
  readonly lastMs: number;
  readonly lastLine: string;
}

/** Returns progress for people: "3 of 214 tiles". */
export const countOf = ({ done, total, unit }: Omit<Progress, "detail">): string =>
  unit === "%" ? `${done} %` : `${done} of ${total} ${unit}`;

function paceOf({ done, total, unit }: Progress, { first, startMs }: Watched, nowMs: number): string {
  const seconds = (nowMs - startMs) / 1_000;
  if (done <= first || seconds < 1) return "";
  const rate = (done - first) / seconds;
  const shownRate = unit === "%" ? "" : `, ${rate.toFixed(1)} ${unit}/s`;
  return done < total ? `${shownRate}, ${formatDuration((total - done) / rate)} left` : shownRate;
}

const isDue = ({ startMs, lastMs }: Watched, nowMs: number): boolean => {
  const { least, most, ofElapsed } = REPORT_EVERY_MS;
  return nowMs - lastMs >= Math.min(most, Math.max(least, ofElapsed * (nowMs - startMs)));
};

/**
 * Returns output for people. A piece of work gets a line when it begins, now and then while it goes on, and when it is done; what a line
 * said is not said again.
 */
export function humanOutput(
  write: (line: string) => void,
  print: (line: string) => void,
  clockMs: () => number = () => performance.now(),
): Output {
  let current: Watched | undefined;
  return {
    step: (step) => {
      current = undefined;
      write(`[${STEPS.indexOf(step) + 1}/${STEPS.length}] ${step}`);
    },
    progress: (what, progress) => {
      const nowMs = clockMs();
      if (current?.what !== what)
        current = { what, first: progress.done, startMs: nowMs, lastMs: Number.NEGATIVE_INFINITY, lastLine: "" };
      if (progress.done < progress.total && !isDue(current, nowMs)) return;
      const detail = progress.detail === "" ? "" : ` (${progress.detail})`;
      const line = `${countOf(progress)}${detail}`;
      if (line === current.lastLine) return;
      write(`      ${what}: ${countOf(progress)}${paceOf(progress, current, nowMs)}${detail}`);
      current = { ...current, lastMs: nowMs, lastLine: line };
    },
    note: (text) => write(`      note: ${text}`),
    result: (text) => print(text),
    failure: (_reason, message) => write(`radhical: ${message}`),
  };
}

/** Returns output for machines: one JSON object per line. */
export function jsonOutput(print: (line: string) => void): Output {
  const emit = (event: string, fields: object): void => print(JSON.stringify({ event, ...fields }));
  return {
    step: (step) => emit("step", { step, number: STEPS.indexOf(step) + 1, of: STEPS.length }),
    progress: (what, progress) => emit("progress", { what, ...progress }),
    note: (text) => emit("note", { text }),
    result: (_text, value) => emit("result", { value }),
    failure: (reason, message) => emit("failure", { reason, message }),
  };
}
