/** @file Measuring as ratios: what is compared runs in turn, in one process, round after round, and medians count. */

/** One piece of work, timed. */
export interface Timing {
  readonly amount: number;
  readonly seconds: number;
}

/** A benchmark that is ready to run. */
export interface OpenBenchmark {
  /** Runs each piece of work once. */
  round(n: number): Promise<Readonly<Record<string, Timing>>>;
  close(): Promise<void>;
}

/** `of` over `to`: of their rates (how many times as fast), or of their seconds (what one costs beside the other). */
export interface Ratio {
  readonly name: string;
  readonly of: string;
  readonly to: string;
  readonly by: "rate" | "seconds";
}

export interface Benchmark {
  readonly name: string;
  /** Of amounts: "kpixel". */
  readonly unit: string;
  readonly ratios: readonly Ratio[];
  open(): Promise<OpenBenchmark>;
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
}

/** Returns how long work took, for the amount that it says it did. */
export async function timed(amount: number, work: () => unknown): Promise<Timing> {
  const startedMs = performance.now();
  await work();
  return { amount, seconds: (performance.now() - startedMs) / 1_000 };
}

/** Returns the middle of some values and their range. The median of an even number is the mean of the middle two. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)! };
}

/** Runs one round that does not count, then the rounds. A ratio is taken within each round, so that a busy spell touches both sides. */
export async function measure({ name, unit, ratios, open }: Benchmark, rounds: number): Promise<Result> {
  const benchmark = await open();
  try {
    const timings: Readonly<Record<string, Timing>>[] = [];
    await benchmark.round(0);
    for (let n = 1; n <= rounds; n++) timings.push(await benchmark.round(n));
    const rate = ({ amount, seconds }: Timing): number => amount / seconds;
    const works = Object.keys(timings[0] ?? {});
    return {
      name,
      unit,
      rounds,
      ratios: ratios.map(({ name: ratio, of, to, by }) => {
        const values = timings.map((round) =>
          by === "rate" ? rate(round[of]!) / rate(round[to]!) : round[of]!.seconds / round[to]!.seconds,
        );
        return { name: ratio, ...spread(values) };
      }),
      rates: works.map((work) => ({ name: work, ...spread(timings.map((round) => rate(round[work]!))) })),
    };
  } finally {
    await benchmark.close();
  }
}
