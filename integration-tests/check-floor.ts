/**
 * @file Says whether a run's dense evaluation and its cascade beat, on its test patients, what colour alone finds there without any training:
 * `node check-floor.js DIR --masks GLOB [--masks-are labels]`. Exits with 1 if one does not.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { findFiles, stemOf } from "../services/cli/pair-images.ts";
import { openImage } from "../services/lib/images/image-source.ts";
import { decodeMask } from "../services/lib/images/mask.ts";
import { gradeImage, type ImageGrades, poolGrades } from "../services/lib/method/grading.ts";
import { findNuclei } from "../services/lib/method/nuclei.ts";
import { untrainedMask } from "./untrained-floor.ts";

const Grades = z.object({ dice: z.number(), f: z.number(), computeFraction: z.number() });
const Report = z.object({
  test: z.object({ dense: Grades, cascade: Grades }),
  patients: z.object({ test: z.array(z.string()).min(1) }),
});

const { values, positionals } = parseArgs({ options: { masks: { type: "string" } }, allowPositionals: true });
const [run = "."] = positionals;
const { test, patients } = Report.parse(JSON.parse(await readFile(join(run, "report.json"), "utf8")));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** The run's test images, by the names it gave them. */
async function testImages(): Promise<string[]> {
  const lines = (await readFile(join(run, "names.csv"), "utf8")).split("\n").slice(1);
  const rows = lines.filter((line) => line !== "").map((line) => line.split(","));
  return rows.filter(([, , patient = ""]) => patients.test.includes(patient)).map(([, path = ""]) => path);
}

const maskOf = new Map((await findFiles(values.masks ?? "", "--masks")).map((path) => [stemOf(path), path]));
const graded: ImageGrades[] = [];
for (const path of await testImages()) {
  const source = await openImage(await readFile(path));
  const { width, height } = source;
  const image = await source.readRegion({ x: 0, y: 0, width, height });
  const { labels, kind } = await decodeMask(await readFile(maskOf.get(stemOf(path)) ?? ""), "auto");
  graded.push(gradeImage(untrainedMask(image), findNuclei(labels, width, height, kind)));
}
const floor = poolGrades(graded);

print(`test patients: ${patients.test.join(", ")} (${graded.length} images)`);
print(`untrained  Dice ${floor.dice.toFixed(3)}  F ${floor.f.toFixed(3)}`);
for (const [mode, { dice, f, computeFraction }] of Object.entries(test)) {
  const share = `${(100 * computeFraction).toFixed(1)} % of the pixels computed`;
  print(`${mode.padEnd(9)}  Dice ${dice.toFixed(3)}  F ${f.toFixed(3)}  ${share}`);
}
for (const [mode, grades] of Object.entries(test)) {
  for (const grade of ["dice", "f"] as const) {
    const isAbove = grades[grade] > floor[grade];
    print(`${mode} ${grade} ${isAbove ? "beats" : "DOES NOT BEAT"} the untrained floor`);
    if (!isAbove) process.exitCode = 1;
  }
}
