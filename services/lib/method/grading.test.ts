import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { findComponents, labelComponents } from "./components.ts";
import { gradeImage, type ImageGrades, poolGrades } from "./grading.ts";
import { findNuclei, type Nuclei } from "./nuclei.ts";
import { createRandom } from "./random.ts";

const WIDTH = 40;
const HEIGHT = 30;

/** A plane with rectangles: left, top, width, height, value. */
const plane = (...rects: readonly (readonly [number, number, number, number, number])[]): Uint16Array => {
  const values = new Uint16Array(WIDTH * HEIGHT);
  for (const [left, top, width, height, value] of rects) {
    for (let y = top; y < top + height; y++) values.fill(value, y * WIDTH + left, y * WIDTH + left + width);
  }
  return values;
};

const nucleiOf = (labels: Uint16Array) => findNuclei(labels, WIDTH, HEIGHT, "labels");
const grade = (predicted: Uint16Array, labels: Uint16Array) => gradeImage(Uint8Array.from(predicted), nucleiOf(labels));
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

test("nuclei are label values, or 8-connected components of a binary mask, without those under 10 pixels", () => {
  const labels = plane([0, 0, 4, 4, 7], [4, 4, 4, 4, 300], [20, 20, 3, 3, 9]);
  const byLabel = nucleiOf(labels);
  assert.deepEqual([byLabel.count, [...byLabel.areas], byLabel.annotatedPx], [2, [16, 16], 41]);
  assert.deepEqual([byLabel.numbers[0], byLabel.numbers[4 * WIDTH + 4], byLabel.numbers[20 * WIDTH + 20]], [1, 2, -1]);
  const binary = findNuclei(labels, WIDTH, HEIGHT, "binary");
  assert.deepEqual([binary.count, [...binary.areas]], [1, [32]]);
});

test("a perfect prediction is 1 everywhere, too small nuclei or not", () => {
  const labels = plane([2, 2, 6, 6, 1], [12, 3, 5, 9, 2], [30, 20, 2, 2, 3]);
  const perfect = grade(
    labels.map((value) => Math.min(1, value)),
    labels,
  );
  const { nuclei, objects, ...shares } = perfect;
  assert.deepEqual(shares, { detection: 1, f: 1, tpr: 1, ppv: 1, dice: 1, aji: 1, pq: 1 });
  assert.deepEqual([nuclei, objects], [2, { truePositives: 2, falsePositives: 0, falseNegatives: 0 }]);
  assert.equal(poolGrades([perfect]).objectF1, 1);
});

test("an empty prediction finds nothing", () => {
  const { nuclei, objects, ...shares } = grade(plane(), plane([0, 0, 5, 5, 1]));
  assert.deepEqual(shares, { detection: 0, f: 0, tpr: 0, ppv: 0, dice: 0, aji: 0, pq: 0 });
  assert.deepEqual([nuclei, objects], [1, { truePositives: 0, falsePositives: 0, falseNegatives: 1 }]);
});

test("merges all objects that touch a nucleus and counts their pixels on other nuclei as false", () => {
  // nucleus 1: 10 x 4 = 40; nucleus 2: 5 x 4 = 20. Object A: 16 px, all on 1. Object B: 6 x 2 = 12, on 1: 4, on 2: 6, on none: 2
  const labels = plane([0, 0, 10, 4, 1], [11, 0, 5, 4, 2]);
  const grades = grade(plane([0, 0, 4, 4, 1], [8, 1, 6, 2, 1]), labels);
  // 1: TP 20, merged 28; 2: TP 6, merged 12
  near(grades.f, ((2 * 20) / (28 + 40) + (2 * 6) / (12 + 20)) / 2);
  near(grades.tpr, (20 / 40 + 6 / 20) / 2);
  near(grades.ppv, (20 / 28 + 6 / 12) / 2);
  // half a nucleus is not more than half
  assert.equal(grades.detection, 0);
  near(grades.dice, (2 * 26) / (28 + 60));
});

test("does not punish predictions that touch no nucleus in the grade, but in Dice and object measures", () => {
  const labels = plane([0, 0, 5, 4, 1]);
  const grades = grade(plane([0, 0, 5, 4, 1], [20, 20, 5, 4, 1]), labels);
  assert.deepEqual([grades.f, grades.ppv, grades.detection], [1, 1, 1]);
  near(grades.dice, 40 / 60);
  near(grades.aji, 20 / 40);
  near(grades.pq, 1 / 1.5);
  assert.deepEqual(grades.objects, { truePositives: 1, falsePositives: 1, falseNegatives: 0 });
});

test("an intersection over union of exactly one half is no match", () => {
  const labels = plane([0, 0, 5, 4, 1]);
  assert.equal(grade(plane([0, 0, 5, 2, 1]), labels).objects.truePositives, 0);
  assert.equal(grade(plane([0, 0, 5, 3, 1]), labels).objects.truePositives, 1);
});

test("means over images leave out images without nuclei where nuclei are graded; object F1 is pooled", () => {
  const found = grade(plane([0, 0, 5, 4, 1]), plane([0, 0, 5, 4, 1]));
  const missed = grade(plane(), plane([0, 0, 5, 4, 1], [10, 10, 5, 4, 2], [20, 10, 5, 4, 3]));
  const blank = grade(plane(), plane());
  const noise = grade(plane([0, 0, 5, 4, 1]), plane());
  const pooled = poolGrades([found, missed, blank, noise]);
  assert.deepEqual([pooled.images, pooled.nuclei], [4, 4]);
  assert.deepEqual([pooled.f, pooled.tpr, pooled.ppv, pooled.detection], [0.5, 0.5, 0.5, 0.5]);
  assert.deepEqual([pooled.dice, pooled.aji, pooled.pq], [0.5, 0.5, 0.5]);
  near(pooled.objectF1, 2 / (2 + 1 + 3));
});

/** The definitions, set by set. */
const gradeSlowly = (mask: Uint8Array, { numbers, count }: Nuclei): Omit<ImageGrades, "objects"> => {
  const objectLabels = labelComponents(findComponents(mask, WIDTH, HEIGHT, 8), WIDTH, HEIGHT);
  const pixels = (labels: Int32Array, label: number) => new Set([...labels.keys()].filter((i) => labels[i] === label));
  const shared = (a: Set<number>, b: Set<number>) => [...a].filter((i) => b.has(i)).length;
  const small = pixels(numbers, -1);
  const nuclei = Array.from({ length: count }, (_, i) => pixels(numbers, i + 1));
  const all = Array.from({ length: Math.max(0, ...objectLabels) }, (_, i) => pixels(objectLabels, i + 1));
  const objects = all.filter(
    (object) => shared(object, small) === 0 || nuclei.some((nucleus) => shared(object, nucleus) > 0),
  );
  const mean = (value: (nucleus: Set<number>, merged: Set<number>, tp: number) => number) => {
    const values = nuclei.map((nucleus) => {
      const merged = new Set(all.filter((object) => shared(object, nucleus) > 0).flatMap((object) => [...object]));
      const tp = shared(nucleus, merged);
      return tp === 0 ? 0 : value(nucleus, merged, tp);
    });
    return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
  };
  const iou = (a: Set<number>, b: Set<number>) => shared(a, b) / (a.size + b.size - shared(a, b));
  const pairs = nuclei
    .flatMap((nucleus) => objects.map((object) => iou(nucleus, object)))
    .filter((value) => value > 0.5);
  const unused = new Set(objects);
  let intersections = 0;
  let unions = 0;
  for (const nucleus of nuclei) {
    const best = objects.reduce<Set<number> | undefined>(
      (a, b) => (iou(nucleus, b) > (a === undefined ? 0 : iou(nucleus, a)) ? b : a),
      undefined,
    );
    intersections += best === undefined ? 0 : shared(nucleus, best);
    unions += best === undefined ? nucleus.size : nucleus.size + best.size - shared(nucleus, best);
    if (best !== undefined) unused.delete(best);
  }
  for (const object of unused) unions += object.size;
  const annotated = numbers.filter((number) => number !== 0).length;
  const predicted = mask.reduce((a, b) => a + b, 0);
  const both = mask.filter((value, i) => value === 1 && numbers[i] !== 0).length;
  return {
    nuclei: count,
    detection: mean((nucleus, _, tp) => (tp > nucleus.size / 2 ? 1 : 0)),
    f: mean((nucleus, merged, tp) => (2 * tp) / (2 * tp + (merged.size - tp) + (nucleus.size - tp))),
    tpr: mean((nucleus, _, tp) => tp / nucleus.size),
    ppv: mean((_, merged, tp) => tp / merged.size),
    dice: annotated + predicted === 0 ? 1 : (2 * both) / (annotated + predicted),
    aji: unions === 0 ? 1 : intersections / unions,
    pq:
      nuclei.length + objects.length === 0
        ? 1
        : pairs.reduce((a, b) => a + b, 0) / ((nuclei.length + objects.length) / 2),
  };
};

test("agrees with the definitions, set by set, on random scenes", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 0, max: 12 }),
      fc.integer({ min: 0, max: 14 }),
      (seed, nuclei, objects) => {
        const random = createRandom("scene", seed);
        const rects = (count: number, side: number) =>
          Array.from({ length: count }, (_, i) => {
            const width = 1 + random.int(side);
            const height = 1 + random.int(side);
            return [random.int(WIDTH - width), random.int(HEIGHT - height), width, height, i + 1] as const;
          });
        const annotation = nucleiOf(plane(...rects(nuclei, 8)));
        const mask = Uint8Array.from(plane(...rects(objects, 8)), (value) => Math.min(1, value));
        const { objects: counts, ...shares } = gradeImage(mask, annotation);
        const expected = gradeSlowly(mask, annotation);
        for (const [name, value] of Object.entries(expected)) near(shares[name as keyof typeof expected], value);
        assert.equal(counts.truePositives + counts.falseNegatives, annotation.count);
      },
    ),
    { numRuns: 80 },
  );
});

test("refuses a mask of another size", () => {
  assert.throws(() => gradeImage(new Uint8Array(3), nucleiOf(plane())), RangeError);
});
