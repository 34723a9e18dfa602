/** @file `radhical run`: the seven steps on a folder of images and masks. */
import { join } from "node:path";
import { DomainError, invalid } from "../lib/errors.ts";
import { splitFolds } from "../lib/method/folds.ts";
import { type CohortNames, cohortNames } from "./cohort-names.ts";
import { untilInterrupted } from "./interrupt.ts";
import { saveThresholds } from "./model-folder.ts";
import { readNetworkFile } from "./network-file.ts";
import { checkRunOptions, type RunOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { type PairedImage, pairImages } from "./pair-images.ts";
import { buildReport, summary } from "./report.ts";
import { checkResultsFit } from "./result-files.ts";
import {
  buildDatabases,
  cleaningOf,
  evaluateValidation,
  extractPatches,
  importImages,
  type StepContext,
  splitCohort,
  trainModels,
  tuneThresholds,
} from "./run-steps.ts";
import { openServicesOf } from "./services.ts";
import { testFolder, testModels } from "./test-step.ts";
import { openOut, writeWhole } from "./transfer.ts";

/** Runs the seven steps. What an earlier run with the same arguments finished is not done again. */
export async function run(
  options: RunOptions,
  output: Output,
  env: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  checkRunOptions(options);
  const { pairs, unusedMasks } = await pairImages(options.images, options.masks, options.patient);
  checkFolds(pairs, options);
  const network = await readNetworkFile(options.network, options.members);
  if (unusedMasks > 0) output.note(`${unusedMasks} masks have no image and are not used`);
  await openOut(options.out);
  await checkResultsFit(testFolder(options), new Set(pairs.map(({ stem }) => stem)));
  const services = await openServicesOf(options, output, env);
  let names: CohortNames | undefined;
  try {
    const steps = runSteps({ services, output, options, network }, pairs, (known) => {
      names = known;
    });
    await untilInterrupted(steps);
  } catch (error) {
    if (!names || !(error instanceof DomainError)) throw error;
    throw new DomainError(error.kind, error.reason, names.explain(error.message), { cause: error });
  } finally {
    await services.close();
  }
}

/** Whether the patients fill the folds and their validation sets is known before anything is read. */
function checkFolds(pairs: readonly PairedImage[], { folds, seed }: RunOptions): void {
  const patients = [...new Set(pairs.map(({ patient }) => patient))].sort();
  if (folds > patients.length) {
    const [only = ""] = patients;
    const message =
      patients.length === 1
        ? `Cannot make ${folds} folds of one patient: all images are of "${only}" by the --patient rule; give a rule that tells patients apart, for instance --patient file`
        : `Cannot make ${folds} folds of ${patients.length} patients; use --folds ${patients.length} or less, or another --patient rule`;
    throw invalid("TOO_FEW_PATIENTS", message);
  }
  const images = pairs.map(({ stem, patient }) => ({ imageId: stem, patient: patients.indexOf(patient) }));
  splitFolds(images, folds, seed);
}

async function runSteps(
  ctx: StepContext,
  pairs: readonly PairedImage[],
  onNames: (names: CohortNames) => void,
): Promise<void> {
  const { output, options } = ctx;
  output.step("patches");
  const images = await importImages(ctx, pairs);
  const names = cohortNames(images);
  onNames(names);
  const { cohortId, patchSetId, statistics } = await extractPatches(ctx, images, names);
  output.step("lists");
  const { splitId, fold } = await splitCohort(ctx, patchSetId, names);
  output.step("databases");
  const databaseSetId = await buildDatabases(ctx, splitId);
  output.step("training");
  const models = await trainModels(ctx, databaseSetId);
  output.step("maps");
  const evaluationId = await evaluateValidation(ctx, models, fold.validation);
  output.step("thresholds");
  const tuning = await tuneThresholds(ctx, { evaluationId, cohortId, splitId });
  const levels = options.reductions.length;
  await saveThresholds(join(options.out, "models"), options.fold, tuning, models, cleaningOf(options));
  output.step("test");
  const test = await testModels(ctx, { cohortId, imageIds: fold.reported, models, tuning, names });
  const report = buildReport({ levels, annotation: options.annotation, statistics, models, tuning, test, fold, names });
  await writeWhole(join(options.out, "report.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  output.result(summary(report, options.out), report);
}
