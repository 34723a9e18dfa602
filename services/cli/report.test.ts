import assert from "node:assert/strict";
import { test } from "node:test";
import { Fold } from "../lib/proto/radhical/v1/datasets.ts";
import { GetStatisticsResponse } from "../lib/proto/radhical/v1/extraction.ts";
import { SegmentedImage } from "../lib/proto/radhical/v1/segmentation.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import { GetTuningResponse, Grades } from "../lib/proto/radhical/v1/tuning.ts";
import { cohortNames } from "./cohort-names.ts";
import { buildReport, type Report, summary } from "./report.ts";

const [first, second, third, fourth] = ["1".repeat(32), "2".repeat(32), "3".repeat(32), "4".repeat(32)] as const;
const names = cohortNames(
  [first, second, third, fourth].map((imageId, i) => {
    const patient = ["b", "a", "c", "c"][i] ?? "";
    const stem = `${patient}_${i}`;
    return { imageId, maskId: "", stem, patient, imagePath: `${stem}.png`, maskPath: "" };
  }),
);

const image = (imageId: string, side: number, computed: readonly number[]): SegmentedImage =>
  SegmentedImage.fromPartial({
    imageId,
    width: side,
    height: side,
    seconds: 1.5,
    computeFraction: 9, // of one image; the report's is that of all of them together
    levels: computed.map((count, i) => ({
      level: i + 1,
      computed: BigInt(count),
      accepted: BigInt(1),
      rejected: BigInt(2),
    })),
  });

const grades = (dice: number): Grades =>
  Grades.fromPartial({ detection: 0.9, f: 0.8, tpr: 0.7, ppv: 0.6, dice, objectF1: 0.5, aji: 0.4, pq: 0.3 });

const build = (annotation: "sparse" | "complete" = "complete"): Report =>
  buildReport({
    levels: 2,
    annotation,
    names,
    statistics: GetStatisticsResponse.fromPartial({
      levels: [{ level: 1, patches: 30n, bytes: 92160n, byLabel: [10n, 20n] }],
      shortfalls: [{ imageId: first, level: 2, kind: "edge", wanted: 500n, found: 7n }],
    }),
    models: [
      Model.fromPartial({ fold: 1, level: 1, members: 2, iterations: 60, testAccuracy: 0.875, stepsPerSecond: 21.4 }),
    ],
    tuning: GetTuningResponse.fromPartial({
      chosen: [
        {
          endsAt: 1,
          levels: [
            { level: 1, lower: 0.5, final: 0.5 },
            { level: 2, lower: 0.1, upper: 0.9 },
          ],
        },
        { endsAt: 2, levels: [{ level: 2, final: 0.45 }] },
      ],
      tradeoff: [{ endsAt: 2, computeFraction: 0.1, score: 0.6, f: 0.55, levels: [{ level: 2, lower: 0.2 }] }],
    }),
    test: {
      naiveSeconds: 3700,
      dense: { images: [image(third, 10, [100]), image(fourth, 20, [400])], grades: grades(0.78) },
      cascade: { images: [image(third, 10, [30, 25]), image(fourth, 20, [0, 100])], grades: grades(0.77) },
    },
    fold: Fold.fromPartial({
      fold: 1,
      train: [first],
      validation: [second],
      test: [second, third, fourth],
      reported: [third, fourth],
    }),
  });

test("the report has the fields that others build on, and JSON keeps them", () => {
  const report: unknown = JSON.parse(JSON.stringify(build()));
  const { shortfalls, ...fixed } = report as Report;
  assert.deepEqual(shortfalls, [{ image: "b_0", level: 2, kind: "edge", wanted: 500, found: 7 }]);
  assert.deepEqual(
    { ...fixed, test: Object.keys(fixed.test) },
    {
      annotation: "complete",
      patches: [{ level: 1, patches: 30, bytes: 92160, byClass: [10, 20] }],
      training: [{ fold: 1, level: 1, members: 2, iterations: 60, testAccuracy: 0.875, stepsPerSecond: 21.4 }],
      thresholds: { lower: [0.5, 0.1], upper: [null, 0.9], final: [0.5, 0.45] },
      greedy: { lower: [null, null], upper: [null, null], final: [null, null] },
      tradeoff: [
        {
          endsAt: 2,
          computeFraction: 0.1,
          score: 0.6,
          f: 0.55,
          lower: [null, 0.2],
          upper: [null, null],
          final: [null, null],
        },
      ],
      test: ["naive", "dense", "cascade"],
      patients: { train: ["b"], validation: ["a"], test: ["c"] },
    },
  );
});

test("grades, compute and counts are over all test images", () => {
  assert.deepEqual(build().test.cascade, {
    ...grades(0.77),
    computeFraction: 155 / 500,
    seconds: 3,
    perLevel: [
      { level: 1, computed: 30, accepted: 2, rejected: 4 },
      { level: 2, computed: 125, accepted: 2, rejected: 4 },
    ],
  });
});

test("naive has the grades of dense evaluation and seconds that are marked as extrapolated", () => {
  const { naive, dense } = build().test;
  assert.deepEqual(naive, { ...dense, seconds: 3700, secondsExtrapolated: true });
  assert.equal(dense.dice, 0.78);
  assert.equal("secondsExtrapolated" in dense, false);
});

test("where annotation is sparse nothing is said that only complete annotation can tell", () => {
  const { annotation, test: graded } = build("sparse");
  assert.equal(annotation, "sparse");
  for (const { f, dice, objectF1, aji, pq } of Object.values(graded))
    assert.deepEqual([f, dice, objectF1, aji, pq], [0.8, null, null, null, null]);
  assert.match(summary(build("sparse"), "result"), /cascade +0\.900 +0\.800 +0\.700 +0\.600 +- +- +0\.310/);
});

test("the table's columns stand under their headings, apart from each other", () => {
  const lines = summary(build(), "result").split("\n");
  const header = lines.find((line) => line.includes("object F1")) ?? "";
  const ends = [...header.matchAll(/\S+( F1)?/g)].map(({ index, 0: word }) => index + word.length);
  assert.equal(ends.length, 8);
  for (const mode of ["naive", "dense", "cascade"]) {
    const row = lines.find((line) => line.trimStart().startsWith(`${mode} `)) ?? "";
    const cells = [
      ...row
        .trimStart()
        .slice(mode.length)
        .matchAll(/\S+( s)?/g),
    ];
    const offset = row.length - row.trimStart().length + mode.length;
    assert.deepEqual(
      cells.map(({ index, 0: cell }) => offset + index + cell.length),
      ends,
      mode,
    );
  }
  assert.match(lines.join("\n"), /naive .* ~1:01:40$/m);
});

test("the table says how many networks of a level were trained for how many steps", () => {
  assert.match(summary(build(), "result"), /^ +level +steps .*\n +1 +2 x 60 +87\.5 % +21\.4$/m);
});

test("the table says where things are", () => {
  assert.match(summary(build(), "my/result"), /report: my\/result\/report\.json {3}masks: my\/result\/test/);
});
