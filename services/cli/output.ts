/** @file What the command tells while it works: lines on standard error for people, JSON lines on standard output for machines. */

/** The seven steps of the method. */
export const STEPS = ["patches", "lists", "databases", "training", "maps", "thresholds", "test"] as const;
export type Step = (typeof STEPS)[number];

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

const REPORT_EVERY_MS = 1_000;

/** Returns seconds as "1:05" or "2:03:04". */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

/** Rate and time left of one piece of work, from its first report on. */
function createPace(): (progress: Progress) => string {
  let first: { readonly done: number; readonly atMs: number } | undefined;
  return ({ done, total, unit }) => {
    const now = performance.now();
    first ??= { done, atMs: now };
    const seconds = (now - first.atMs) / 1_000;
    const rate = (done - first.done) / Math.max(seconds, 0.001);
    if (done <= first.done || seconds < 1) return "";
    return `, ${rate.toFixed(1)} ${unit}/s, ${formatDuration((total - done) / rate)} left`;
  };
}

/** Returns output for people. A line is written about every second at most, and when a piece of work is done. */
export function humanOutput(write: (line: string) => void, print: (line: string) => void): Output {
  let current: { what: string; pace: (progress: Progress) => string; atMs: number } | undefined;
  return {
    step: (step) => write(`[${STEPS.indexOf(step) + 1}/${STEPS.length}] ${step}`),
    progress: (what, progress) => {
      const now = performance.now();
      if (current?.what !== what) current = { what, pace: createPace(), atMs: Number.NEGATIVE_INFINITY };
      const pace = current.pace(progress);
      if (progress.done < progress.total && now - current.atMs < REPORT_EVERY_MS) return;
      current.atMs = now;
      const detail = progress.detail === "" ? "" : ` (${progress.detail})`;
      write(`      ${what}: ${progress.done} of ${progress.total} ${progress.unit}${pace}${detail}`);
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
