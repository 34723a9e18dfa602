/**
 * @file `npm run accuracy -- train | rules | cascade`: levels trained on chosen patients, what rules on level 1's maps give, and the
 * trade-off of levels together (docs/accuracy.md). What it writes lies in folders of the user's.
 */
import { parseArgs } from "node:util";
import { DomainError, invalid } from "../../services/lib/errors.ts";
import { cascadeTable } from "./cascade.ts";
import { readCohort } from "./cohort.ts";
import { rulesTable } from "./rules.ts";
import { parseLabSettings, trainInLab } from "./train.ts";

const USAGE =
  "npm run accuracy -- train --images GLOB --masks GLOB --learn 01,02 --out DIR [--settings '{\"iterations\":4000}'], " +
  "or rules DIR… --images GLOB --masks GLOB, or cascade DIR DIR… (a training of each level) --images GLOB --masks GLOB; DIR+DIR: the mean of their maps";

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const tell = (line: string): void => void process.stderr.write(`${line}\n`);

async function accuracy(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      images: { type: "string" },
      masks: { type: "string" },
      learn: { type: "string" },
      settings: { type: "string", default: "{}" },
      out: { type: "string" },
    },
    allowPositionals: true,
  });
  const { images, masks, learn, out } = values;
  const [part, ...folders] = positionals;
  if (!images || !masks) throw invalid("OPTIONS_INVALID", `Cannot start without --images and --masks; ${USAGE}`);
  const settings = parseLabSettings(values.settings);
  const cohort = await readCohort(images, masks);
  if (part === "train" && learn && out) {
    const patients = learn.split(",");
    const stranger = patients.find((name) => cohort.every(({ patient }) => patient !== name));
    if (stranger !== undefined) throw invalid("OPTIONS_INVALID", `Cannot learn from patient "${stranger}": no image`);
    await trainInLab(cohort, patients, settings, out, tell);
  } else if (part === "rules" && folders.length > 0) {
    print(`${"".padEnd(74)}threshold  Dice   F  object F1  AJI  PQ`);
    for (const folder of folders) for (const line of await rulesTable(cohort, folder)) print(line);
  } else if (part === "cascade" && folders.length > 1) {
    for (const line of await cascadeTable(cohort, folders)) print(line);
  } else throw invalid("OPTIONS_INVALID", `Cannot start: ${USAGE}`);
}

try {
  await accuracy();
} catch (error) {
  if (!(error instanceof DomainError)) throw error;
  tell(`accuracy: ${error.message}`);
  process.exitCode = 1;
}
