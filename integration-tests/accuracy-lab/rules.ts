/** @file What rules after the network give on the maps of trainings: the least area of a nucleus, and whom the threshold is chosen on. */
import { basename } from "node:path";
import { type Cleaning, cleanRuns, DEFAULT_CLEANING } from "../../services/lib/method/cleaning.ts";
import { findRuns } from "../../services/lib/method/components.ts";
import { type Grades, gradePrediction, type ImageGrades, poolGrades } from "../../services/lib/method/grading.ts";
import { findNuclei } from "../../services/lib/method/nuclei.ts";
import type { LabImage } from "./cohort.ts";
import { readMaps, readTraining } from "./trainings.ts";

/** Least areas tried, in level-1 pixels. */
const LEAST_AREAS = [0, 10, 30, 60, 100, 150];
/** Thresholds tried: 31/64 to 62/64. */
const THRESHOLDS = Array.from({ length: 32 }, (_, i) => (31 + i) / 64);

/** One image's grades, index = threshold. */
interface Curve {
  readonly patient: string;
  readonly grades: readonly ImageGrades[];
}

/** Returns the tables of a training's folder. */
export async function rulesTable(cohort: readonly LabImage[], folder: string): Promise<string[]> {
  const { learn, loss } = await readTraining(folder);
  const maps = await Promise.all(cohort.map(({ stem }) => readMaps(folder, stem)));
  const curvesOf = (cleaning: Cleaning): Curve[] => cohort.map((image, i) => curveOf(image, maps[i]!, cleaning));
  const lines = [
    `${folder
      .split("+")
      .map((member) => basename(member))
      .join("+")}: learnt from ${learn.join(", ")}, loss ${loss.toFixed(3)}`,
  ];
  for (const minNucleusPx of LEAST_AREAS) {
    const heldOut = curvesOf({ ...DEFAULT_CLEANING, minNucleusPx }).filter(({ patient }) => !learn.includes(patient));
    lines.push(row(`  held out, nuclei of at least ${minNucleusPx}`, heldOut, best(heldOut)));
  }
  const curves = curvesOf(DEFAULT_CLEANING);
  const learnt = curves.filter(({ patient }) => learn.includes(patient));
  const heldOut = curves.filter(({ patient }) => !learn.includes(patient));
  lines.push(row("  threshold of the patients learnt from", heldOut, best(learnt)));
  const patients = [...new Set(heldOut.map(({ patient }) => patient))];
  for (const [name, others] of [
    ["one patient held out", []],
    ["that one and those learnt from", learnt],
  ] as const) {
    for (const chosenOn of patients) {
      const isChosen = ({ patient }: Curve): boolean => patient === chosenOn;
      const place = best([...heldOut.filter(isChosen), ...others]);
      const rest = heldOut.filter((curve) => !isChosen(curve));
      lines.push(row(`  threshold of ${name} (${chosenOn}), on the rest`, rest, place));
    }
  }
  return lines;
}

function curveOf({ patient, image, labels, kind }: LabImage, maps: Float32Array, cleaning: Cleaning): Curve {
  const { width, height } = image;
  const p2 = maps.subarray(2 * width * height);
  const nuclei = findNuclei(labels, width, height, kind);
  const grades = THRESHOLDS.map((threshold) => {
    const mask = Uint8Array.from(p2, (value) => (value >= threshold ? 1 : 0));
    return gradePrediction(cleanRuns(findRuns(mask, width, height), width, cleaning), nuclei);
  });
  return { patient, grades };
}

const gradesAt = (curves: readonly Curve[], place: number): Grades =>
  poolGrades(curves.map(({ grades }) => grades[place]!));

/** Returns the threshold's place at which the mean over patients of F + Dice is best. */
function best(curves: readonly Curve[]): number {
  const patients = [...new Set(curves.map(({ patient }) => patient))];
  const scores = THRESHOLDS.map((_, place) => {
    const grades = patients.map((patient) =>
      gradesAt(
        curves.filter((curve) => curve.patient === patient),
        place,
      ),
    );
    return grades.reduce((sum, { f, dice }) => sum + f + dice, 0) / patients.length;
  });
  return scores.indexOf(Math.max(...scores));
}

function row(what: string, curves: readonly Curve[], place: number): string {
  const { dice, f, objectF1, aji, pq } = gradesAt(curves, place);
  const numbers = [dice, f, objectF1, aji, pq].map((value) => value.toFixed(3)).join("  ");
  return `${what.padEnd(68)} at ${THRESHOLDS[place]?.toFixed(3)}  ${numbers}`;
}
