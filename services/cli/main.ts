#!/usr/bin/env node
/** @file The `radhical` command. */
import { Command, CommanderError } from "commander";
import { DomainError } from "../lib/errors.ts";
import { SOFTWARE_VERSION } from "../lib/service/version.ts";
import { doctor } from "./doctor.ts";
import { parseOptions, RunOptions, SegmentOptions } from "./options.ts";
import { humanOutput, jsonOutput, type Output } from "./output.ts";
import { run } from "./run.ts";
import { segment } from "./segment.ts";
import { serve } from "./serve.ts";

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const write = (line: string): void => void process.stderr.write(`${line}\n`);
const outputFor = (json: boolean): Output => (json ? jsonOutput(print) : humanOutput(write, print));

/** Failures say what to do; anything else is a bug and shows itself whole. */
async function reporting(output: Output, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DomainError) output.failure(error.reason, error.message);
    else output.failure("BUG", error instanceof Error ? (error.stack ?? error.message) : String(error));
    process.exitCode = 1;
  }
}

const program = new Command("radhical")
  .description("Nuclear segmentation for digital pathology: a magnification cascade, trained and served")
  .version(SOFTWARE_VERSION)
  .showHelpAfterError("(radhical --help shows how)");

program
  .command("run")
  .description("the seven steps: patches, lists, databases, models, maps, thresholds, test")
  .requiredOption("--images <glob>", "images: a quoted pattern, a folder or a file")
  .requiredOption("--masks <glob>", "their masks, named alike")
  .requiredOption("--out <dir>", "where results go; the same command goes on where it was")
  .option("--folds <n>", "folds of the cross-validation, split by patient (default 5)")
  .option("--fold <k>", "the fold to train and test (default 1)")
  .option("--reductions <list>", "reduction of each level, finest first (default 1,2,4,10)")
  .option("--iterations <n>", "training steps per level (default 6000)")
  .option("--annotation <kind>", "sparse: some nuclei are annotated; complete: all (default sparse)")
  .option("--mpp <number>", "micrometres per pixel of the images (default 0.25)")
  .option("--patient <rule>", "prefix (before the first _), file, or a regular expression on the path (default prefix)")
  .option("--masks-are <kind>", "auto, binary or labels (default auto)")
  .option("--seed <n>", "everything random follows from it (default 1)")
  .option("--address <host:port>", "run on these services instead of in this process")
  .option("--json", "one JSON object per line on standard output")
  .action((given) => {
    const output = outputFor(given.json === true);
    return reporting(output, () => run(parseOptions(RunOptions, given), output, process.env));
  });

program
  .command("segment")
  .description("segment new images with the models of a run")
  .argument("<image...>", "images: files, folders or quoted patterns")
  .requiredOption("--models <dir>", "the models folder of a run")
  .requiredOption("--out <dir>", "where results go")
  .option("--mode <mode>", "cascade, dense or naive (default cascade)")
  .option("--tile <px>", "side of a unit of work in level-1 pixels (default about 2000)")
  .option("--mpp <number>", "micrometres per pixel of the images (default: the models')")
  .option("--address <host:port>", "run on these services instead of in this process")
  .option("--json", "one JSON object per line on standard output")
  .action((images, given) => {
    const output = outputFor(given.json === true);
    return reporting(output, () => segment(parseOptions(SegmentOptions, { ...given, images }), output, process.env));
  });

program
  .command("serve")
  .description("run all services, or one, until a signal; settings come from the environment")
  .argument("[service]", "extraction, datasets, training, inference, tuning or segmentation")
  .option("--level <k>", "inference: this level only")
  .option("--insecure", "allow listening beyond this machine without TLS")
  .action((name, given) => reporting(outputFor(false), () => serve(name, given)));

program
  .command("doctor")
  .description("check that everything the product needs works here")
  .option("--json", "one JSON object per line on standard output")
  .action((given) => {
    const output = outputFor(given.json === true);
    return reporting(output, async () => {
      if (!(await doctor(output, process.env))) process.exitCode = 1;
    });
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode;
}
