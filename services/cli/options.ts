/** @file The command's options, checked before any work starts. */
import { z } from "zod";
import { invalid } from "../lib/errors.ts";
import { checkReductions } from "../lib/method/blocks.ts";
import { leastCompute, mostCompute } from "../lib/method/cascade.ts";
import { DEFAULT_CLEANING, MAX_REACH_PX } from "../lib/method/cleaning.ts";
import { isPossibleMpp, MPP_RANGE } from "../lib/method/resolution.ts";
import { COUNTED_KINDS, checkCounts, DEFAULT_COUNTS, type SampleCounts } from "../lib/method/sampling.ts";
import { MAX_MEMBERS, MAX_SEED } from "../lib/network/members.ts";
import { DEVICES } from "../lib/runtime/provider.ts";
import { SERVICE_NAMES } from "../lib/service/service-names.ts";
import { MAX_LEVELS } from "../lib/service/topics.ts";

const MAX_INT32 = 2 ** 31 - 1;

/** A number as text says it; nothing but blanks, which a shell leaves of a variable that is not set, is none. */
const numberOf = (error: string) => z.string().regex(/\S/, { error }).transform(Number).pipe(z.number({ error }));

const wholeNumber = (min: number, max: number = MAX_INT32) => {
  const error = `must be a whole number, ${min} or more`;
  return numberOf(error).pipe(
    z
      .int({ error })
      .min(min, { error })
      .max(max, { error: `must be at most ${max}` }),
  );
};

function oneOf<const Words extends readonly string[]>(words: Words): z.ZodEnum<{ [Word in Words[number]]: Word }> {
  return z.enum(words, { error: `must be one of ${words.join(", ")}` });
}

const required = z.string({ error: "is required" }).min(1, { error: "is required" });
const fromNoneToOne = "must be a number from 0 to 1";
const aboveNone = numberOf("must be a number").pipe(z.number().positive({ error: "must be more than 0" }));
const possibleMpp = `must be ${MPP_RANGE}, um/px`;
const resolution = numberOf(possibleMpp).refine(isPossibleMpp, { error: possibleMpp });

const device = oneOf(DEVICES);
const address = z.string().min(1, { error: "must be host:port" });

/** Options of `radhical run`. */
export const RunOptions = z.object({
  images: required,
  masks: required,
  out: required,
  folds: wholeNumber(2).default(5),
  fold: wholeNumber(1).default(1),
  reductions: z
    .string()
    .regex(/^ *\d+( *, *\d+)* *$/, 'must be whole numbers with commas, for instance "1,2,4,10"')
    .transform((list) => list.split(",").map(Number))
    .default([1, 2, 4, 10]),
  centres: z
    .string()
    .regex(
      /^\s*[a-z]+\s*=\s*\d+(\s*,\s*[a-z]+\s*=\s*\d+)*\s*$/,
      'must be kinds and numbers, for instance "positive=500,background=150"',
    )
    .transform((list) => list.split(",").map((part) => part.trim().split(/\s*=\s*/)))
    .refine((pairs) => new Set(pairs.map(([kind]) => kind)).size === pairs.length, "must name each kind once")
    .transform((pairs) => Object.fromEntries(pairs))
    .pipe(z.partialRecord(z.enum(COUNTED_KINDS), wholeNumber(0), { error: `may name ${COUNTED_KINDS.join(", ")}` }))
    .default({}),
  iterations: wholeNumber(1).default(8_000),
  stainJitter: numberOf(fromNoneToOne)
    .pipe(z.number().min(0, { error: fromNoneToOne }).max(1, { error: fromNoneToOne }))
    .default(0.2),
  averagedSteps: wholeNumber(0).default(0),
  maxHole: wholeNumber(0).default(DEFAULT_CLEANING.maxHolePx),
  opening: wholeNumber(0, MAX_REACH_PX).default(DEFAULT_CLEANING.openingPx),
  neck: wholeNumber(0, MAX_REACH_PX).default(DEFAULT_CLEANING.neckPx),
  minNucleus: wholeNumber(0).default(DEFAULT_CLEANING.minNucleusPx),
  network: z.string().min(1, { error: "must be a file" }).optional(),
  members: wholeNumber(1, MAX_MEMBERS).default(2),
  coarseNetworks: oneOf(["full", "half"]).default("half"),
  maxCompute: aboveNone.optional(),
  minScore: aboveNone.pipe(z.number().max(1, { error: "must be at most 1: a score is a share" })).optional(),
  annotation: oneOf(["sparse", "complete"]).default("sparse"),
  mpp: resolution.default(0.25),
  patient: z.string().default("prefix"),
  masksAre: oneOf(["auto", "binary", "labels"]).default("auto"),
  seed: wholeNumber(0, MAX_SEED).default(1),
  device: device.optional(),
  address: address.optional(),
  json: z.boolean().default(false),
});
export type RunOptions = z.output<typeof RunOptions>;

/** Options of `radhical doctor`. */
export const DoctorOptions = z.object({ device: device.optional(), json: z.boolean().default(false) });
export type DoctorOptions = z.output<typeof DoctorOptions>;

/** Options of `radhical segment`. */
export const SegmentOptions = z.object({
  images: z.array(z.string()).min(1),
  models: required,
  out: required,
  mode: oneOf(["cascade", "dense", "naive"]).default("cascade"),
  tile: wholeNumber(1).optional(),
  mpp: resolution.optional(),
  device: device.optional(),
  address: address.optional(),
  json: z.boolean().default(false),
});
export type SegmentOptions = z.output<typeof SegmentOptions>;

/** Options of every `radhical jobs` sub-command. */
export const JobsOptions = z.object({ address: address.optional(), json: z.boolean().default(false) });
export type JobsOptions = z.output<typeof JobsOptions>;

/** Options of `radhical jobs list`. */
export const JobsListOptions = JobsOptions.extend({ service: oneOf(SERVICE_NAMES).optional() });
export type JobsListOptions = z.output<typeof JobsListOptions>;

const optionName = (path: readonly PropertyKey[]): string =>
  `--${String(path[0] ?? "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

const given = (options: unknown, [name]: readonly PropertyKey[]): string => {
  const value = Object.entries(options ?? {}).find(([key]) => key === name)?.[1];
  return value === undefined ? "" : ` "${String(value)}"`;
};

/** Returns checked options. Throws OPTIONS_INVALID that lists every problem. */
export function parseOptions<Schema extends z.ZodType>(schema: Schema, options: unknown): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${optionName(path)}${given(options, path)} ${message}`,
  );
  throw invalid("OPTIONS_INVALID", `Cannot start: ${[...new Set(problems)].join("; ")}`);
}

/** Checks that nothing was given beside options. Throws OPTIONS_INVALID; an unquoted pattern is how it happens. */
export function checkNoArguments(words: readonly string[]): void {
  if (words.length === 0) return;
  const others = words.length === 1 ? "" : ` and ${words.length - 1} more`;
  throw invalid(
    "OPTIONS_INVALID",
    `Cannot use "${words[0]}"${others}: an option takes one value; quote a pattern so that the shell leaves it alone, for instance --images "data/*.png"`,
  );
}

/** Returns how many centres each image gives: the defaults of its kind of annotation, but for what was said. */
export const countsOf = ({ annotation, centres }: Pick<RunOptions, "annotation" | "centres">): SampleCounts => ({
  ...DEFAULT_COUNTS[annotation],
  ...centres,
});

/** Checks what options say together. Throws OPTIONS_INVALID, REDUCTIONS_INVALID or SAMPLING_INVALID. */
export function checkRunOptions(options: RunOptions): void {
  const { fold, folds, reductions, maxCompute, minScore } = options;
  if (maxCompute !== undefined && minScore !== undefined)
    throw invalid("OPTIONS_INVALID", "Cannot start: give --max-compute or --min-score, not both");
  if (fold > folds) throw invalid("OPTIONS_INVALID", `Cannot start: --fold ${fold} is beyond --folds ${folds}`);
  checkReductions(reductions);
  const most = mostCompute(reductions);
  if (maxCompute !== undefined && maxCompute > most) {
    const message = `--max-compute ${maxCompute} is more than the ${most.toFixed(2)} that all levels together compute; 0.1 is a tenth of level 1's pixels`;
    throw invalid("OPTIONS_INVALID", `Cannot start: ${message}`);
  }
  const least = leastCompute(reductions);
  if (maxCompute !== undefined && maxCompute <= least) {
    const message = `--max-compute ${maxCompute} is no more than the ${least} that the coarsest level, which computes every pixel, takes by itself`;
    throw invalid("OPTIONS_INVALID", `Cannot start: ${message}`);
  }
  checkCounts(countsOf(options), reductions.length);
  if (reductions.length > MAX_LEVELS) {
    throw invalid(
      "OPTIONS_INVALID",
      `Cannot start: --reductions names ${reductions.length} levels, at most ${MAX_LEVELS} are possible`,
    );
  }
}
