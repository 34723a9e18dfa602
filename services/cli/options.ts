/** @file The command's options, checked before any work starts. */
import { z } from "zod";
import { invalid } from "../lib/errors.ts";
import { checkReductions } from "../lib/method/blocks.ts";

const positiveInteger = z.coerce.number().int().min(1);

/** Options of `radhical run`. */
export const RunOptions = z.object({
  images: z.string(),
  masks: z.string(),
  out: z.string(),
  folds: z.coerce.number().int().min(2).default(5),
  fold: positiveInteger.default(1),
  reductions: z
    .string()
    .regex(/^\d+(,\d+)*$/, 'must be whole numbers with commas, for instance "1,2,4,10"')
    .transform((list) => list.split(",").map(Number))
    .default([1, 2, 4, 10]),
  iterations: positiveInteger.default(6000),
  annotation: z.enum(["sparse", "complete"]).default("sparse"),
  mpp: z.coerce.number().positive().default(0.25),
  patient: z.string().default("prefix"),
  masksAre: z.enum(["auto", "binary", "labels"]).default("auto"),
  seed: z.coerce.number().int().min(0).default(1),
  address: z.string().optional(),
  json: z.boolean().default(false),
});
export type RunOptions = z.output<typeof RunOptions>;

/** Options of `radhical segment`. */
export const SegmentOptions = z.object({
  images: z.array(z.string()).min(1),
  models: z.string(),
  out: z.string(),
  mode: z.enum(["cascade", "dense", "naive"]).default("cascade"),
  tile: z.coerce.number().int().min(1).optional(),
  mpp: z.coerce.number().positive().optional(),
  address: z.string().optional(),
  json: z.boolean().default(false),
});
export type SegmentOptions = z.output<typeof SegmentOptions>;

const optionName = (path: readonly PropertyKey[]): string =>
  `--${String(path[0] ?? "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** Returns checked options. Throws OPTIONS_INVALID that lists every problem. */
export function parseOptions<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${optionName(path)}: ${message}`);
  throw invalid("OPTIONS_INVALID", `Cannot start: ${problems.join("; ")}`);
}

/** Checks what options say together. Throws OPTIONS_INVALID or REDUCTIONS_INVALID. */
export function checkRunOptions({ fold, folds, reductions }: RunOptions): void {
  if (fold > folds) throw invalid("OPTIONS_INVALID", `Cannot start: --fold ${fold} is beyond --folds ${folds}`);
  checkReductions(reductions);
}
