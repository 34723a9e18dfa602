/**
 * @file `npm run demo`: the seven steps on H&E-like images that the program makes itself. Everything lies in one folder afterwards;
 * the same command goes on where it was.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeTissueCohort } from "./synthetic-tissue.ts";

/** Five images of one patient are what METHOD.md 2 sets aside for thresholds; one patient is tested, three train. */
const COHORT = { patients: 5, imagesPerPatient: 5, size: 256, seed: 1 };
/** In each image: a fifth of a real run's. These images are small and alike, and 400 steps see fewer patches than that. */
const CENTRES = "positive=300,edge=200,background=600,nucleus=200,mixed=300,none=600";

const print = (...lines: string[]): void => void process.stdout.write(`${lines.join("\n")}\n`);

const { values } = parseArgs({
  options: {
    out: { type: "string", default: "radhical-demo" },
    // Fewer than a real run's 8,000: enough to beat what colour alone can tell.
    iterations: { type: "string", default: "400" },
  },
});
const home = resolve(values.out);

/** Runs `radhical` with the terminal's own output; returns its exit code. */
async function radhical(...given: string[]): Promise<number> {
  const command = fileURLToPath(new URL("../services/cli/main.js", import.meta.url));
  print("", `$ npx radhical ${given.join(" ")}`, "");
  const child = spawn(process.execPath, [command, ...given], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  return typeof code === "number" ? code : 1;
}

const explanation = (): string[] => [
  "",
  "What the table says: one patient's images, which nobody trained on or chose thresholds by, segmented three ways.",
  "  naive    every pixel as a patch of its own: the reference for speed (its seconds are extrapolated)",
  "  dense    every pixel, all patches at once: the same numbers, computed some fifty times faster",
  "  cascade  low magnification first, high magnification only where the answer is still open",
  "  compute  pixels that needed evaluating, over all levels, as a part of the image's; seconds are the network's alone",
  "  Dice     overlap of found and true nuclei by pixel; F, TPR, PPV the same per nucleus; detection: nuclei found",
  "",
  "Where to look:",
  `  images and masks       ${join(home, "cohort")}`,
  `  what was found         ${join(home, "run", "test")}/*_mask.png  (and _prob.png, and _level.png: the level that decided)`,
  `  every figure           ${join(home, "run", "report.json")}`,
  `  models                 ${join(home, "run", "models")}  (any ONNX runtime reads them)`,
  "",
  "The images are made up and the training is short: these figures say that the machinery works, not how well it does on tissue.",
];

const cohort = join(home, "cohort");
print(`The demo lives in ${home}; remove it to begin anew.`, "Making 25 images with nuclei ...");
await writeTissueCohort(cohort, COHORT);
const code = await radhical(
  ...["run", "--images", join(cohort, "images"), "--masks", join(cohort, "masks")],
  ...["--out", join(home, "run"), "--annotation", "complete", "--iterations", values.iterations, "--centres", CENTRES],
);
if (code === 0) print(...explanation());
process.exitCode = code;
