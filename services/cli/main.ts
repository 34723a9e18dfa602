#!/usr/bin/env node
/** @file The `radhical` command. */
import { Command, CommanderError } from "commander";
import { DomainError } from "../lib/errors.ts";
import { SOFTWARE_VERSION } from "../lib/service/version.ts";
import { doctor } from "./doctor.ts";
import { addJobsCommand, type Report } from "./jobs-command.ts";
import { checkNoArguments, DoctorOptions, parseOptions, RunOptions, SegmentOptions } from "./options.ts";
import { humanOutput, JSON_HELP, jsonOutput, type Output } from "./output.ts";
import { provision } from "./provision.ts";
import { run } from "./run.ts";
import { segment } from "./segment.ts";
import { serve } from "./serve.ts";
import { traced } from "./traced-command.ts";

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

const WHERE = "Where it runs:";
const DEVICE_HELP = "cpu, cuda, webgpu, or auto: CUDA where it works, else the CPU (default auto)";
const ADDRESS_HELP = "use these services (radhical serve) instead of this process";

const program = new Command("radhical")
  .description(
    "Segments nuclei in digital pathology: low magnification first, high magnification only where the answer is open.",
  )
  .version(SOFTWARE_VERSION)
  .showHelpAfterError("(radhical --help shows how)")
  .addHelpText(
    "after",
    `
Start here:
  radhical doctor
  radhical run --images "data/images/*.png" --masks "data/masks/*.png" --out result
  radhical segment "new/*.png" --models result/models --out segmented`,
  );

program
  .command("run")
  .summary("train and test on annotated images")
  .description(
    "Trains and tests on annotated images, in seven steps: patches, lists, databases, training, maps, thresholds, test. The same command goes on where it was.",
  )
  .showHelpAfterError("(radhical run --help shows how)")
  .allowExcessArguments()
  .optionsGroup("Required:")
  .option("--images <glob>", "images: a quoted pattern, a folder or a file (PNG, TIFF, JPEG)")
  .option("--masks <glob>", "their masks, named alike, with or without _mask")
  .option("--out <dir>", "where results go")
  .optionsGroup("About the data:")
  .option("--annotation <kind>", "sparse: some nuclei are annotated; complete: all of them (default sparse)")
  .option("--masks-are <kind>", "binary, labels (a number per nucleus), or auto (default auto)")
  .option("--mpp <number>", "micrometres per pixel of the images (default 0.25, 40x)")
  .option("--patient <rule>", "prefix (before the first _), file, or a regular expression on the path (default prefix)")
  .optionsGroup("Training and test:")
  .option("--folds <n>", "folds of the cross-validation, split by patient (default 5)")
  .option("--fold <k>", "the fold to train and test (default 1)")
  .option("--reductions <list>", "how much each level is reduced, finest first (default 1,2,4,10)")
  .option(
    "--centres <list>",
    "patches' centres in each image (default positive=500,edge=500,background=150 at level 1, nucleus=500,mixed=500,none=500 above; " +
      "with --annotation complete 1500, 1000, 3000 and 1000, 1500, 3000)",
  )
  .option("--iterations <n>", "training steps per network (default 8000)")
  .option("--stain-jitter <n>", "how far stains vary in training, 0 to 1 (default 0.2)")
  .option("--averaged-steps <n>", "last steps whose weights are averaged (default 0: none)")
  .option("--max-hole <px>", "holes of at most this many level-1 pixels are filled (default 150)")
  .option("--opening <px>", "spurs and bridges up to twice so many level-1 pixels wide are cut off (default 1)")
  .option("--neck <px>", "nuclei joined by a neck up to twice so many level-1 pixels wide are cut apart (default 4)")
  .option("--min-nucleus <px>", "what has fewer level-1 pixels is no nucleus (default 60: a disc of 2.2 um at 40x)")
  .option("--network <file>", "another network: a JSON description, as settings.network of a model's manifest")
  .option("--members <n>", "networks of each level that are trained, whose mean is its answer (default 2)")
  .option(
    "--coarse-networks <size>",
    "networks of the levels above 1: full, or half the channels for a cascade that takes less time (default half)",
  )
  .option(
    "--max-compute <n>",
    "the cascade's budget: pixels computed over all levels per pixel of level 1, such as 0.1",
  )
  .option(
    "--min-score <n>",
    "least score on validation images; of such points the one with least compute (default: 0.01 below the best)",
  )
  .option("--seed <n>", "everything random follows from it (default 1)")
  .optionsGroup(WHERE)
  .option("--device <name>", DEVICE_HELP)
  .option("--address <host:port>", ADDRESS_HELP)
  .optionsGroup("Other:")
  .option("--json", JSON_HELP)
  .helpOption("-h, --help", "show this")
  .addHelpText(
    "after",
    `
Examples:
  radhical run --images "data/*_original.png" --masks "data/*_mask.png" --out result
  radhical run --images data/images --masks data/masks --out result --annotation complete --patient file
  radhical run --images "Slide_*/*.png" --masks "GT_*/*.png" --out quick --annotation complete --iterations 300`,
  )
  .action((given, command: Command) => {
    const output = outputFor(given.json === true);
    return reporting(output, async () => {
      checkNoArguments(command.args);
      const options = parseOptions(RunOptions, given);
      await traced("run", () => run(options, output, process.env));
    });
  });

program
  .command("segment")
  .summary("segment new images with the models of a run")
  .description(
    "Segments new images with the models of a run. Writes <image>_prob.png (probability), <image>_mask.png (nuclei) and <image>_level.png (the level that decided each pixel).",
  )
  .showHelpAfterError("(radhical segment --help shows how)")
  .argument("<image...>", "images: files, folders or quoted patterns")
  .optionsGroup("Required:")
  .option("--models <dir>", "the models folder of a run, or one fold's folder in it")
  .option("--out <dir>", "where results go")
  .optionsGroup("How:")
  .option("--mode <mode>", "cascade; dense: level 1 everywhere; naive: patch by patch, very slow (default cascade)")
  .option("--tile <px>", "side of a unit of work in level-1 pixels (default about 2000)")
  .option("--mpp <number>", "micrometres per pixel of the images (default: the models')")
  .optionsGroup(WHERE)
  .option("--device <name>", DEVICE_HELP)
  .option("--address <host:port>", ADDRESS_HELP)
  .optionsGroup("Other:")
  .option("--json", JSON_HELP)
  .helpOption("-h, --help", "show this")
  .action((images, given) => {
    const output = outputFor(given.json === true);
    return reporting(output, async () => {
      const options = parseOptions(SegmentOptions, { ...given, images });
      await traced("segment", () => segment(options, output, process.env));
    });
  });

program
  .command("serve")
  .summary("run the services until a signal")
  .description("Runs all services, or one, until a signal.")
  .showHelpAfterError("(radhical serve --help shows how)")
  .argument("[service]", "extraction, datasets, training, inference, tuning or segmentation (default: all)")
  .option("--level <k>", "inference: this level only")
  .option("--insecure", "allow listening beyond this machine without TLS")
  .helpOption("-h, --help", "show this")
  .addHelpText(
    "after",
    `
Settings come from the environment; README.md lists them all:
  RADHICAL_LISTEN   host:port (default 127.0.0.1:50051)
  RADHICAL_TOKEN    what callers must present; radhical run and segment read the same variable
  RADHICAL_DEVICE   cpu, cuda, webgpu or auto (default auto); what does not work is an error
  RADHICAL_OBJECTS  folder of the objects (default .radhical); S3 instead: S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY
  KAFKA_BROKERS     host:port,... (default: queues in this process); with KAFKA_TLS=true by TLS, with KAFKA_SASL_MECHANISM logged in
  KAFKA_CA_FILE, S3_CA_FILE   certificates of the authorities to trust; KAFKA_PASSWORD_FILE, S3_SECRET_KEY_FILE: secrets in files`,
  )
  .action((name, given) => reporting(outputFor(false), () => serve(name, given)));

program
  .command("provision")
  .summary("make a deployment's topics and bucket")
  .description(
    "Creates the Kafka topics and the S3 bucket that services need, from the same settings as theirs. Changes nothing that exists: what is not as it has to be is an error that names the cure. Safe to repeat.",
  )
  .showHelpAfterError("(radhical provision --help shows how)")
  .option("--json", JSON_HELP)
  .helpOption("-h, --help", "show this")
  .addHelpText(
    "after",
    `
Settings come from the environment, as for radhical serve:
  KAFKA_BROKERS      host:port,...
  KAFKA_PREFIX       before the name of every topic and group (default radhical)
  KAFKA_PARTITIONS   of every topic of work and events: the most workers of a kind (default 12)
  KAFKA_REPLICATION  copies of every partition (default: the brokers')
  S3_ENDPOINT        with S3_BUCKET, S3_REGION, S3_ACCESS_KEY, S3_SECRET_KEY
and those of TLS and logins: KAFKA_TLS, KAFKA_CA_FILE, KAFKA_SASL_MECHANISM, KAFKA_USERNAME, KAFKA_PASSWORD, S3_CA_FILE, S3_PATH_STYLE`,
  )
  .action((given) => {
    const output = outputFor(given.json === true);
    return reporting(output, () => provision(output, process.env));
  });

const report: Report = (json, work) => {
  const output = outputFor(json === true);
  return reporting(output, () => work(output));
};
addJobsCommand(program, report, process.env);

program
  .command("doctor")
  .summary("check that everything works here")
  .description("Checks, by doing it on a small scale, that everything the product needs works on this machine.")
  .option("--device <name>", DEVICE_HELP)
  .option("--json", JSON_HELP)
  .helpOption("-h, --help", "show this")
  .action((given) => {
    const output = outputFor(given.json === true);
    return reporting(output, async () => {
      const { device } = parseOptions(DoctorOptions, given);
      const env = device === undefined ? process.env : { ...process.env, RADHICAL_DEVICE: device };
      if (!(await doctor(output, env))) process.exitCode = 1;
    });
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode;
}
