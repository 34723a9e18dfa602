/** @file DIR/report.json and the table at the end of a run. */
import type { Fold } from "../lib/proto/radhical/v1/datasets.ts";
import type { GetStatisticsResponse } from "../lib/proto/radhical/v1/extraction.ts";
import type { SegmentedImage } from "../lib/proto/radhical/v1/segmentation.ts";
import type { Model } from "../lib/proto/radhical/v1/training.ts";
import type { GetTuningResponse, TradeoffPoint } from "../lib/proto/radhical/v1/tuning.ts";
import type { CohortNames } from "./cohort-names.ts";
import { storedThresholds } from "./model-folder.ts";
import { formatDuration } from "./output.ts";
import type { GradedSegmentation, TestResults } from "./test-step.ts";

export interface ReportInputs {
  readonly levels: number;
  readonly statistics: GetStatisticsResponse;
  readonly models: readonly Model[];
  readonly tuning: GetTuningResponse;
  readonly test: TestResults;
  readonly fold: Fold;
  readonly names: CohortNames;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function perLevel(images: readonly SegmentedImage[]) {
  const levels = [...new Set(images.flatMap((image) => image.levels.map(({ level }) => level)))].sort((a, b) => a - b);
  return levels.map((level) => {
    const own = images.flatMap((image) => image.levels.filter((counts) => counts.level === level));
    const count = (kind: "computed" | "accepted" | "rejected"): number =>
      sum(own.map((counts) => Number(counts[kind])));
    return { level, computed: count("computed"), accepted: count("accepted"), rejected: count("rejected") };
  });
}

/** Computed pixels over pixels of level 1, over all images: what every image cost together. */
function computeFraction(images: readonly SegmentedImage[]): number {
  const computed = sum(perLevel(images).map((counts) => counts.computed));
  return computed / sum(images.map(({ width, height }) => width * height));
}

const graded = ({ grades, images }: GradedSegmentation) => ({
  ...grades,
  computeFraction: computeFraction(images),
  seconds: sum(images.map(({ seconds }) => seconds)),
  perLevel: perLevel(images),
});

/** Returns the report. */
export function buildReport({ levels, statistics, models, tuning, test, fold, names }: ReportInputs) {
  const thresholds = (point: TradeoffPoint | undefined) => storedThresholds(point?.levels ?? [], levels);
  const patients = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => names.patient(id)))].sort();
  const dense = graded(test.dense);
  return {
    patches: statistics.levels.map(({ level, patches, bytes, byLabel }) => ({
      level,
      patches: Number(patches),
      bytes: Number(bytes),
      byClass: byLabel.map(Number),
    })),
    shortfalls: statistics.shortfalls.map(({ imageId, level, kind, wanted, found }) => ({
      image: names.stem(imageId),
      level,
      kind,
      wanted: Number(wanted),
      found: Number(found),
    })),
    training: models.map(({ fold: own, level, iterations, testAccuracy, stepsPerSecond }) => ({
      fold: own,
      level,
      iterations,
      testAccuracy,
      stepsPerSecond,
    })),
    thresholds: thresholds(tuning.chosen[0]),
    greedy: thresholds(tuning.greedy),
    tradeoff: tuning.tradeoff.map((point) => ({
      endsAt: point.endsAt,
      computeFraction: point.computeFraction,
      score: point.score,
      f: point.f,
      ...thresholds(point),
    })),
    test: {
      naive: { ...dense, seconds: test.naiveSeconds, secondsExtrapolated: true },
      dense,
      cascade: graded(test.cascade),
    },
    patients: { train: patients(fold.train), validation: patients(fold.validation), test: patients(fold.reported) },
  };
}

export type Report = ReturnType<typeof buildReport>;

/** Returns what a person reads first. */
export function summary({ patches, training, test, patients }: Report, out: string): string {
  const rows = (["naive", "dense", "cascade"] as const).map((mode) => {
    const { detection, f, tpr, ppv, dice, objectF1, computeFraction: fraction, seconds } = test[mode];
    const cells = [detection, f, tpr, ppv, dice, objectF1, fraction].map((value) => value.toFixed(3).padStart(9));
    const time = `${mode === "naive" ? "~" : ""}${seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(seconds)}`;
    return `${mode.padEnd(8)}${cells.join("")}${time.padStart(10)}`;
  });
  const header = ["detection", "F", "TPR", "PPV", "Dice", "object F1", "compute"].map((name) =>
    name.padStart(name === "detection" ? 10 : 9),
  );
  return [
    "",
    ...patches.map(
      ({ level, patches: count, byClass }) => `level ${level}: ${count} patches (by class ${byClass.join(", ")})`,
    ),
    ...training.map(
      ({ level, iterations, testAccuracy, stepsPerSecond }) =>
        `level ${level}: ${iterations} steps, ${(100 * testAccuracy).toFixed(1)} % of test patches right, ${stepsPerSecond.toFixed(1)} steps/s`,
    ),
    "",
    `test patients: ${patients.test.join(", ")}`,
    `       ${header.join("")}   seconds`,
    ...rows,
    "naive: grades of dense evaluation, time extrapolated from a sample of patches",
    "",
    `report: ${out}/report.json   masks: ${out}/test   models: ${out}/models`,
  ].join("\n");
}
