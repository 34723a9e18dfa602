/** @file The trade-off of trainings of all levels, tuned on the patients that none of them learnt from. */
import { invalid } from "../../services/lib/errors.ts";
import { DEFAULT_CLEANING } from "../../services/lib/method/cleaning.ts";
import type { ValidationImage } from "../../services/lib/method/evaluator.ts";
import { findNuclei } from "../../services/lib/method/nuclei.ts";
import { tuneThresholds } from "../../services/lib/method/thresholds.ts";
import type { TradeoffPoint } from "../../services/lib/method/tradeoff.ts";
import type { LabImage } from "./cohort.ts";
import { readMaps, readTraining } from "./trainings.ts";

/** Compute fractions whose best score is told. */
const BUDGETS = [0.03, 0.05, 0.07, 0.09, 0.12, 0.15, 0.2, 1];
/** Less than the product's, which searches for one fold and not for every row of a table. */
const EFFORT = { prices: 12, randomPoints: 0, seed: 1 } as const;

/** Returns the table of trainings, one folder per level from the finest on. */
export async function cascadeTable(cohort: readonly LabImage[], folders: readonly string[]): Promise<string[]> {
  const trainings = await Promise.all(folders.map(readTraining));
  const reductions = trainings.map(({ settings }, i) => {
    if (settings.level === i + 1) return settings.reductions[i]!;
    throw invalid(
      "TRAININGS_INVALID",
      `Cannot take "${folders[i]}" for level ${i + 1}: it is of level ${settings.level}`,
    );
  });
  const learnt = new Set(trainings.flatMap(({ learn }) => learn));
  const heldOut = cohort.filter(({ patient }) => !learnt.has(patient));
  const images = heldOut.map(async ({ stem, image: { width, height }, labels, kind }): Promise<ValidationImage> => {
    const maps = await Promise.all(folders.map((folder) => readMaps(folder, stem)));
    return { width, height, maps, nuclei: findNuclei(labels, width, height, kind) };
  });
  const settings = { reductions, annotation: "complete", ...DEFAULT_CLEANING, withoutUpper: [], ...EFFORT } as const;
  const { dense, tradeoff } = await tuneThresholds(await Promise.all(images), settings);
  const front = tradeoff.filter(({ endsAt }) => endsAt === 1);
  return [
    `${heldOut.length} images held out      compute  Dice   F     score`,
    row("dense level 1", dense),
    ...BUDGETS.flatMap((budget) => {
      const point = front.findLast(({ computeFraction }) => computeFraction <= budget);
      return point === undefined ? [] : [row(`at most ${budget}`, point)];
    }),
  ];
}

function row(what: string, { computeFraction, score, f }: TradeoffPoint): string {
  const figures = [computeFraction, 2 * score - f, f, score].map((value) => value.toFixed(3)).join("   ");
  return `${what.padEnd(24)} ${figures}`;
}
