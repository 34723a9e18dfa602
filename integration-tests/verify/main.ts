/** @file `npm run verify -- --data DIR`: the exactness checks of `npm test` on real images. Exits with 1 if one fails. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { levelThresholds, readModelFolder } from "../../services/cli/model-folder.ts";
import { DomainError, invalid } from "../../services/lib/errors.ts";
import { pickCleaning } from "../../services/lib/method/cleaning.ts";
import { type Comparison, isExact } from "../exactness.ts";
import { runExactness } from "../exactness-run.ts";
import { seededModel } from "../seeded-models.ts";
import { findImages } from "./find-images.ts";

const print = (...lines: string[]): void => void process.stdout.write(`${lines.join("\n")}\n`);

const USAGE = "npm run verify -- --data DIR [--models DIR/models] [--images 4] [--lines 8 | --every-pixel]";

/** Random weights compute as trained ones do; `--models` takes those of a run, and the thresholds that it chose. */
const REDUCTIONS = [1, 2, 4, 10];

function positive(name: string, value: string): number {
  if (/^[1-9]\d*$/.test(value)) return Number(value);
  throw invalid("OPTIONS_INVALID", `Cannot start: --${name} "${value}" is not a whole number above 0; ${USAGE}`);
}

function table(comparisons: readonly Comparison[]): string[] {
  const rows = comparisons.map((comparison) => [
    isExact(comparison) ? "ok" : "FAILED",
    comparison.check,
    comparison.image,
    String(comparison.compared),
    comparison.largest === 0 ? "0" : comparison.largest.toExponential(1),
    comparison.allowed === 0 ? "0" : comparison.allowed.toExponential(0),
  ]);
  const all = [["", "check", "image", "compared", "largest difference", "allowed"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const isNumber = (column: number): boolean => column > 2;
  return all.map((row) =>
    row
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}

async function verify(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      data: { type: "string" },
      models: { type: "string" },
      images: { type: "string", default: "4" },
      lines: { type: "string", default: "8" },
      "every-pixel": { type: "boolean", default: false },
    },
  });
  if (values.data === undefined) throw invalid("OPTIONS_INVALID", `Cannot start without --data; ${USAGE}`);
  const limit = positive("images", values.images);
  const lines = values["every-pixel"] ? "every pixel" : positive("lines", values.lines);
  const { chosen, usable, others } = await findImages(values.data, limit);
  if (chosen.length === 0)
    throw invalid(
      "IMAGES_MISSING",
      `Cannot verify on "${values.data}": of its ${others} PNG and TIFF files none is a colour image of at most 4 Mpixel`,
    );
  print(
    `${chosen.length} of ${usable} images (${others} other files are masks, grey, unreadable or too large):`,
    ...chosen.map(({ name }) => `  ${name}`),
    values.models === undefined ? "networks with random weights; --models takes trained ones" : values.models,
    "",
  );
  const own = values.models === undefined ? undefined : await readModelFolder(values.models);
  const models = own ? own.levels : REDUCTIONS.map((reduction, i) => seededModel(i + 1, reduction, 1));
  const tuned = own && {
    thresholds: levelThresholds(own.thresholds.endingAt[0]!),
    cleaning: pickCleaning(own.thresholds),
  };
  const folder = await mkdtemp(join(tmpdir(), "radhical-verify-"));
  try {
    const comparisons = await runExactness({ images: chosen, models, tuned, folder: join(folder, "objects"), lines });
    const failed = comparisons.filter((comparison) => !isExact(comparison)).length;
    print(...table(comparisons), "", `${comparisons.length - failed} checks hold, ${failed} failed`);
    return failed === 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  if (!(await verify())) process.exitCode = 1;
} catch (error) {
  const isFailure = error instanceof DomainError || (error instanceof TypeError && "code" in error);
  if (!(isFailure && error instanceof Error)) throw error;
  process.stderr.write(`verify: ${error.message}\n`);
  process.exitCode = 1;
}
