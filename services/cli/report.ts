/** @file DIR/report.json and the table at the end of a run. */
import type { Fold } from "../lib/proto/radhical/v1/datasets.ts";
import type { GetStatisticsResponse } from "../lib/proto/radhical/v1/extraction.ts";
import type { SegmentedImage } from "../lib/proto/radhical/v1/segmentation.ts";
import type { Model } from "../lib/proto/radhical/v1/training.ts";
import type { GetTuningResponse, TradeoffPoint } from "../lib/proto/radhical/v1/tuning.ts";
import { formatDuration } from "../lib/service/duration.ts";
import type { CohortNames } from "./cohort-names.ts";
import { storedThresholds } from "./model-folder.ts";
import type { RunOptions } from "./options.ts";
import type { GradedSegmentation, TestResults } from "./test-step.ts";

export interface ReportInputs {
  readonly levels: number;
  readonly annotation: RunOptions["annotation"];
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

/** What only complete annotation can tell: where it is sparse, a nucleus that nobody annotated counts as false. */
const UNKNOWN = { dice: null, objectF1: null, aji: null, pq: null };

const graded = ({ grades, images }: GradedSegmentation, annotation: RunOptions["annotation"]) => ({
  ...grades,
  ...(annotation === "complete" ? {} : UNKNOWN),
  computeFraction: computeFraction(images),
  seconds: sum(images.map(({ seconds }) => seconds)),
  perLevel: perLevel(images),
});

/** What ending at each level decides by, index = level - 1. */
const finalThresholds = ({ chosen }: GetTuningResponse, levels: number): (number | null)[] =>
  Array.from({ length: levels }, (_, i) => {
    const point = chosen.find(({ endsAt }) => endsAt === i + 1);
    return point?.levels.find(({ level }) => level === i + 1)?.final ?? null;
  });

/** Returns the report. */
export function buildReport({ levels, annotation, statistics, models, tuning, test, fold, names }: ReportInputs) {
  const thresholds = (point: TradeoffPoint | undefined) => storedThresholds(point?.levels ?? [], levels);
  const patients = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => names.patient(id)))].sort();
  const dense = graded(test.dense, annotation);
  return {
    annotation,
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
    training: models.map(({ fold: own, level, iterations, members, testAccuracy, stepsPerSecond }) => ({
      fold: own,
      level,
      members,
      iterations,
      testAccuracy,
      stepsPerSecond,
    })),
    thresholds: { ...thresholds(tuning.chosen[0]), final: finalThresholds(tuning, levels) },
    greedy: thresholds(tuning.greedy[0]),
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
      cascade: graded(test.cascade, annotation),
    },
    patients: { train: patients(fold.train), validation: patients(fold.validation), test: patients(fold.reported) },
  };
}

export type Report = ReturnType<typeof buildReport>;

/** Returns rows as lines: the first column to the left, the others to the right, each as wide as its widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (text: string, column: number): string => {
    const width = widths[column] ?? 0;
    return column === 0 ? text.padEnd(width) : text.padStart(width);
  };
  return rows.map((row) => `  ${row.map(cell).join("  ")}`.trimEnd());
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
const timeOf = (seconds: number): string => (seconds < 60 ? `${seconds.toFixed(1)} s` : formatDuration(seconds));

function patchRows(patches: Report["patches"]): string[][] {
  const rows = patches.map(({ level, patches: count, bytes, byClass }) => [
    String(level),
    String(count),
    megabytes(bytes),
    byClass.join(", "),
  ]);
  return [["level", "patches", "size", "by class 0, 1, 2"], ...rows];
}

function trainingRows(training: Report["training"]): string[][] {
  const rows = training.map(({ level, members, iterations, testAccuracy, stepsPerSecond }) => [
    String(level),
    members > 1 ? `${members} x ${iterations}` : String(iterations),
    `${(100 * testAccuracy).toFixed(1)} %`,
    // of one that had its last step when the run went on there is none
    stepsPerSecond > 0 ? stepsPerSecond.toFixed(1) : "",
  ]);
  return [["level", "steps", "test patches right", "steps/s"], ...rows];
}

function gradeRows(test: Report["test"]): string[][] {
  const rows = (["naive", "dense", "cascade"] as const).map((mode) => {
    const { detection, f, tpr, ppv, dice, objectF1, computeFraction: fraction, seconds } = test[mode];
    const grades = [detection, f, tpr, ppv, dice, objectF1, fraction].map((value) => value?.toFixed(3) ?? "-");
    return [mode, ...grades, `${mode === "naive" ? "~" : ""}${timeOf(seconds)}`];
  });
  return [["", "detection", "F", "TPR", "PPV", "Dice", "object F1", "compute", "time"], ...rows];
}

/** Returns what a person reads first. */
export function summary({ patches, training, test, patients }: Report, out: string): string {
  return [
    "",
    ...table(patchRows(patches)),
    "",
    ...table(trainingRows(training)),
    "",
    `test patients: ${patients.test.join(", ")}`,
    ...table(gradeRows(test)),
    "  naive: the grades of dense evaluation; its time (~) is extrapolated from a sample of patches",
    "",
    `report: ${out}/report.json   masks: ${out}/test   models: ${out}/models`,
  ].join("\n");
}
