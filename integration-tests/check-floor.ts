/**
 * @file Says whether a run's dense evaluation beats a floor on its test patients: `node check-floor.js DIR --dice 0.747 --f 0.623`.
 * METHOD.md, "Data at hand": what colour alone reaches without any training; a model below it is broken. Exits with 1 if it does not.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";

const Grades = z.object({ dice: z.number(), f: z.number(), computeFraction: z.number() });
const Report = z.object({
  test: z.object({ dense: Grades, cascade: Grades }),
  patients: z.object({ test: z.array(z.string()).min(1) }),
});

const { values, positionals } = parseArgs({
  options: { dice: { type: "string", default: "0.747" }, f: { type: "string", default: "0.623" } },
  allowPositionals: true,
});
const floor = { dice: Number(values.dice), f: Number(values.f) };
const [run = "."] = positionals;
const { test, patients } = Report.parse(JSON.parse(await readFile(join(run, "report.json"), "utf8")));
const print = (line: string): void => void process.stdout.write(`${line}\n`);

print(`test patients: ${patients.test.join(", ")}`);
for (const [mode, { dice, f, computeFraction }] of Object.entries(test)) {
  print(
    `${mode.padEnd(8)} Dice ${dice.toFixed(3)}  F ${f.toFixed(3)}  ${(100 * computeFraction).toFixed(1)} % of the pixels computed`,
  );
}
for (const grade of ["dice", "f"] as const) {
  const isAbove = test.dense[grade] > floor[grade];
  print(`dense ${grade} ${isAbove ? "beats" : "DOES NOT BEAT"} the floor ${floor[grade]}`);
  if (!isAbove) process.exitCode = 1;
}
