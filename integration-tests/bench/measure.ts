/** @file Measuring as ratios: what is compared runs in turn, in one process, round after round, and medians count. */

import { existsSync, readdirSync, readFileSync } from "node:fs";

/** One piece of work, timed. */
export interface Timing {
  readonly amount: number;
  readonly seconds: number;
  /** The most memory that was resident, where it runs in a process of its own. */
  readonly peakBytes?: number;
}

/** A benchmark that is ready to run. */
export interface OpenBenchmark {
  /** Runs each piece of work once. */
  round(n: number): Promise<Readonly<Record<string, Timing>>>;
  close(): Promise<void>;
}

/** What whoever runs benchmarks may choose. */
export interface BenchmarkOptions {
  /** Compare with other software too, where there is any; it is installed on first use. */
  readonly peers: boolean;
  /** The models folder of a run, and an image, where the benchmark's own are not wanted. */
  readonly models?: string | undefined;
  readonly image?: string | undefined;
  /** A tenth of the size or less: to see that it runs. */
  readonly small?: boolean | undefined;
}

/** `of` over `to`: of their rates (how many times as fast), of their seconds (what one costs beside the other), of their amounts or of their peaks of memory. */
export interface Ratio {
  readonly name: string;
  readonly of: string;
  readonly to: string;
  readonly by: "rate" | "seconds" | "amount" | "peak";
}

export interface Benchmark {
  readonly name: string;
  /** Of amounts: "kpixel". */
  readonly unit: string;
  readonly ratios: readonly Ratio[];
  /** Too large to be run unless it is named. */
  readonly onlyByName?: boolean;
  open(options: BenchmarkOptions): Promise<OpenBenchmark>;
}

/** A middle value with the range it was seen in. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface Result {
  readonly name: string;
  readonly unit: string;
  readonly rounds: number;
  readonly ratios: readonly (Spread & { readonly name: string })[];
  readonly rates: readonly (Spread & { readonly name: string })[];
  /** Megabytes, of the works that say. */
  readonly peaks: readonly (Spread & { readonly name: string })[];
}

/** Returns how long work took, for the amount that it says it did. */
export async function timed(amount: number, work: () => unknown): Promise<Timing> {
  const startedMs = performance.now();
  await work();
  return { amount, seconds: (performance.now() - startedMs) / 1_000 };
}

/** The same in seconds of CPU, all threads of this process: what else the machine does counts little. */
export async function timedCpu(amount: number, work: () => unknown): Promise<Timing> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { amount, seconds: (user + system) / 1e6 };
}

/**
 * Does `work` and returns the seconds of CPU of the thread of a process that had the most, the main one left aside: with one worker of the
 * runtime that is it, for as long as networks take more than anything else. Where the system does not tell, 0.
 */
export async function busiestThread<T>(
  work: () => Promise<T>,
  pid: number = process.pid,
): Promise<{ readonly result: T; readonly seconds: number }> {
  const before = threadSeconds(pid);
  const result = await work();
  const spent = [...threadSeconds(pid)].map(([thread, seconds]) => seconds - (before.get(thread) ?? 0));
  return { result, seconds: Math.max(0, ...spent) };
}

/** Seconds of CPU of every thread of a process but the main one, on Linux. */
function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return new Map();
  const threads = readdirSync(tasks).filter((thread) => thread !== String(pid));
  const seconds = new Map<string, number>();
  for (const thread of threads) {
    try {
      // "<nanoseconds running> …"
      seconds.set(thread, Number(readFileSync(`${tasks}/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e9);
    } catch {
      // It ended meanwhile.
    }
  }
  return seconds;
}

/** Returns the middle of some values and their range. The median of an even number is the mean of the middle two. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

/** Runs one round that does not count, then the rounds. Ratios of works that did not run are left out; a ratio is taken within each round, so that a busy spell touches both sides. */
export async function measure(
  { name, unit, ratios, open }: Benchmark,
  rounds: number,
  options: BenchmarkOptions = { peers: false },
): Promise<Result> {
  const benchmark = await open(options);
  try {
    const timings: Readonly<Record<string, Timing>>[] = [];
    await benchmark.round(0);
    for (let n = 1; n <= rounds; n++) timings.push(await benchmark.round(n));
    const figure = {
      rate: ({ amount, seconds }: Timing) => amount / seconds,
      seconds: ({ seconds }: Timing) => seconds,
      amount: ({ amount }: Timing) => amount,
      peak: ({ peakBytes }: Timing) => (peakBytes ?? Number.NaN) / 1e6,
    };
    const works = Object.keys(timings[0] ?? {});
    return {
      name,
      unit,
      rounds,
      ratios: ratios
        .filter(({ of, to }) => works.includes(of) && works.includes(to))
        .map(({ name: ratio, of, to, by }) => {
          const values = timings.map((round) => figure[by](round[of]!) / figure[by](round[to]!));
          return { name: ratio, ...spread(values) };
        }),
      rates: works.map((work) => ({ name: work, ...spread(timings.map((round) => figure.rate(round[work]!))) })),
      peaks: works
        .filter((work) => timings[0]?.[work]?.peakBytes !== undefined)
        .map((work) => ({ name: work, ...spread(timings.map((round) => figure.peak(round[work]!))) })),
    };
  } finally {
    await benchmark.close();
  }
}
