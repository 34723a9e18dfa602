import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { unpackPlane } from "./bit-plane.fixture.ts";
import { packPlane } from "./bit-plane.ts";
import { type AnnotatedImage, classifyPixels, darkPixels, touchingPixels } from "./classes.ts";
import type { Annotation, RgbImage } from "./image.ts";
import { createRandom } from "./random.ts";
import { reduceMask } from "./reduced-mask.fixture.ts";
import { DEFAULT_COUNTS, type KindCentres, type SamplingSettings, sampleCentres } from "./sampling.ts";

const grey = (width: number, height: number, value: (x: number, y: number) => number): RgbImage => ({
  width,
  height,
  data: Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return value(pixel % width, Math.floor(pixel / width));
  }),
});

/** Labels of square nuclei: left, top, side, label. */
const squares = (width: number, height: number, ...nuclei: readonly (readonly [number, number, number, number])[]) => {
  const labels = new Uint16Array(width * height);
  for (const [left, top, side, label] of nuclei) {
    for (let y = top; y < top + side; y++) labels.fill(label, y * width + left, y * width + left + side);
  }
  return labels;
};

/** The classes as bytes. */
const classesOf = (image: RgbImage, labels: Uint16Array, annotation: Annotation) => {
  const { mask, ring, background } = classifyPixels({ image, labels, maskKind: "labels", annotation });
  return { mask: unpackPlane(mask), ring: unpackPlane(ring), background: unpackPlane(background) };
};

const touchingOf = (labels: Uint16Array, width: number, height: number) =>
  unpackPlane(touchingPixels(labels, packPlane(labels, width, height)));

const sum = (mask: Uint8Array) => mask.reduce((a, b) => a + b, 0);

test("puts a ring of three pixels around the mask, corners too", () => {
  const image = grey(40, 40, () => 200);
  const { mask, ring, background } = classesOf(image, squares(40, 40, [10, 10, 8, 1]), "complete");
  assert.equal(sum(mask), 64);
  assert.equal(sum(ring), 14 * 14 - 64);
  assert.equal(sum(background), 1600 - 14 * 14);
  assert.equal(ring[7 * 40 + 7], 1);
  assert.equal(ring[6 * 40 + 10], 0);
});

test("counts pixels where two instances touch as ring, not as mask", () => {
  const labels = squares(40, 40, [10, 10, 8, 1], [18, 10, 8, 2]);
  const touching = touchingOf(labels, 40, 40);
  assert.equal(sum(touching), 16);
  const { mask, ring } = classesOf(
    grey(40, 40, () => 200),
    labels,
    "complete",
  );
  assert.equal(sum(mask), 2 * 64 - 16);
  assert.equal(ring[12 * 40 + 17], 1);
  assert.equal(ring[12 * 40 + 18], 1);
});

test("finds touching pixels as a look at all eight neighbours does", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 60, maxLength: 60 }),
      (width, values) => {
        const height = Math.floor(60 / width);
        const labels = Uint16Array.from(values.slice(0, width * height));
        const expected = Uint8Array.from(labels, (label, at) => {
          const x = at % width;
          const y = (at - x) / width;
          for (let j = Math.max(0, y - 1); j <= Math.min(height - 1, y + 1); j++) {
            for (let i = Math.max(0, x - 1); i <= Math.min(width - 1, x + 1); i++) {
              const other = labels[j * width + i]!;
              if (label > 0 && other > 0 && other !== label) return 1;
            }
          }
          return 0;
        });
        assert.deepEqual(touchingOf(labels, width, height), expected);
      },
    ),
  );
});

test("dark is red below .3 of the way from its 5 % to its 50 % quantile, in 100 pixels at least, and what is enclosed", () => {
  const side = 100;
  const inside =
    (left: number, top: number, width: number, height: number) =>
    (x: number, y: number): boolean =>
      x >= left && x < left + width && y >= top && y < top + height;
  const [outlined, hole] = [inside(5, 5, 30, 25), inside(8, 12, 25, 10)];
  const [of99, of100, light] = [inside(50, 10, 11, 9), inside(50, 30, 10, 10), inside(50, 50, 10, 10)];
  let [outline, rest] = [0, 0];
  const redAt = (x: number, y: number): number => {
    if (outlined(x, y) && !hole(x, y)) return 1 + (outline++ % 50); // 500 pixels: 1 to 50, so the 5 % quantile is 50
    if (of99(x, y) || of100(x, y)) return 79;
    if (light(x, y)) return 80;
    // with the 799 above 5,000 pixels are up to 150, the 50 % quantile: the limit is 50 + .3 * 100 = 80
    return rest++ < 4_201 ? 90 + (rest % 61) : 151 + (rest % 100);
  };
  const data = new Uint8Array(3 * side * side);
  const expected = new Uint8Array(side * side);
  for (let i = 0; i < side * side; i++) {
    const [x, y] = [i % side, Math.floor(i / side)];
    const red = redAt(x, y);
    data.set([red, 255 - red, 255 - red], 3 * i);
    expected[i] = outlined(x, y) || of100(x, y) ? 1 : 0;
  }
  assert.deepEqual(unpackPlane(darkPixels({ width: side, height: side, data })), expected);
});

test("with sparse annotation background is far from anything dark", () => {
  const side = 120;
  // a dark ring whose light middle counts as dark, and a dark speck of 81 pixels, which does not
  const image = grey(side, side, (x, y) => {
    const r = Math.hypot(x - 40, y - 40);
    if (r < 18 && r > 6) return 20;
    if (x >= 90 && x < 99 && y >= 90 && y < 99) return 20;
    return 150 + ((x + y) % 100);
  });
  const dark = unpackPlane(darkPixels(image));
  assert.equal(dark[40 * side + 40], 1);
  assert.equal(dark[94 * side + 94], 0);
  const { background } = classesOf(image, new Uint16Array(side * side), "sparse");
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let isFar = true;
      for (let j = Math.max(0, y - 25); j <= Math.min(side - 1, y + 24) && isFar; j++) {
        for (let i = Math.max(0, x - 25); i <= Math.min(side - 1, x + 24) && isFar; i++)
          isFar = dark[j * side + i] === 0;
      }
      assert.equal(background[y * side + x], isFar ? 1 : 0);
    }
  }
  assert.equal(background[94 * side + 94], 1);
});

test("an image of one colour is all background", () => {
  assert.equal(sum(unpackPlane(darkPixels(grey(30, 30, () => 255)))), 0);
  assert.equal(
    sum(
      classesOf(
        grey(30, 30, () => 0),
        new Uint16Array(900),
        "sparse",
      ).background,
    ),
    900,
  );
});

const request = (annotation: Annotation, seed = 1) => {
  const random = createRandom("sampling test");
  const nuclei = Array.from(
    { length: 60 },
    (_, i) => [random.int(470), random.int(470), 12 + random.int(25), i + 1] as const,
  );
  return {
    image: grey(512, 500, (x, y) => 120 + ((x * 7 + y * 13) % 100)),
    labels: squares(512, 500, ...nuclei),
    maskKind: "labels" as const,
    annotation,
    reductions: [1, 2, 4, 10],
    counts: DEFAULT_COUNTS.sparse,
    seed,
    imageId: "a",
  };
};

const drawCentres = (wanted: AnnotatedImage & SamplingSettings) => sampleCentres(classifyPixels(wanted), wanted);

const kindsOf = (kinds: readonly KindCentres[]) => Object.fromEntries(kinds.map((kind) => [kind.kind, kind]));

test("draws distinct centres of the class that their label says, at every level", () => {
  const wanted = request("complete");
  const { mask, ring, background } = classesOf(wanted.image, wanted.labels, "complete");
  for (const { level, reduction, kinds } of drawCentres(wanted).levels) {
    const width = Math.ceil(512 / reduction);
    const f = reduceMask(mask, 512, 500, reduction);
    const holdsRing = reduceMask(ring, 512, 500, reduction);
    const background1 = reduceMask(background, 512, 500, reduction);
    for (const { kind, label, xs, ys } of kinds) {
      assert.equal(new Set([...xs].map((x, i) => ys[i]! * width + x)).size, xs.length);
      for (let i = 0; i < xs.length; i++) {
        const at = ys[i]! * width + xs[i]!;
        const classOfF = f[at]! === 0 ? 0 : f[at]! > Math.fround(0.99) ? 2 : 1;
        assert.equal(level === 1 ? label * 2 : label, classOfF);
        if (kind === "edge") assert.ok(holdsRing[at]! > 0);
        if (kind === "background") assert.equal(background1[at], 1);
      }
    }
  }
});

test("draws the published numbers: 500, 500, 150; coarser 500, 500, and none as 385 edge and 115 background", () => {
  const { levels, shortfalls } = drawCentres(request("complete"));
  const numbers = levels.map(({ kinds }) => kinds.map(({ kind, label, xs }) => [kind, label, xs.length]));
  assert.deepEqual(numbers[0], [
    ["positive", 1, 500],
    ["edge", 0, 500],
    ["background", 0, 150],
  ]);
  assert.deepEqual(numbers[1], [
    ["nucleus", 2, 500],
    ["mixed", 1, 500],
    ["edge", 0, 385],
    ["background", 0, 115],
  ]);
  const coarsest = kindsOf(levels[3]!.kinds);
  const wanted = { nucleus: 500, mixed: 500, edge: 385, background: 115 };
  const lacking = Object.entries(wanted)
    .map(([kind, number]) => ({ level: 4, kind, wanted: number, found: coarsest[kind]!.xs.length }))
    .filter(({ wanted: number, found }) => found < number);
  assert.ok(lacking.some(({ kind }) => kind === "nucleus"));
  assert.deepEqual(
    shortfalls.filter(({ level }) => level === 4),
    lacking,
  );
});

test("of the class none as much is edge as of level 1's edge and background, half at least", () => {
  const drawn = (edge: number, background: number) => {
    const wanted = { ...request("complete"), counts: { ...DEFAULT_COUNTS.sparse, edge, background, none: 400 } };
    const kinds = kindsOf(drawCentres(wanted).levels[1]!.kinds);
    return [kinds.edge!.xs.length, kinds.background!.xs.length];
  };
  assert.deepEqual(drawn(300, 100), [300, 100]);
  assert.deepEqual(drawn(100, 300), [200, 200]);
  assert.deepEqual(drawn(0, 0), [200, 200]);
});

test("says what an image lacks and does not make it up from elsewhere", () => {
  const blank = { ...request("complete"), labels: new Uint16Array(512 * 500) };
  const { levels, shortfalls } = drawCentres(blank);
  assert.deepEqual(
    shortfalls.filter(({ level }) => level < 3),
    [
      { level: 1, kind: "positive", wanted: 500, found: 0 },
      { level: 1, kind: "edge", wanted: 500, found: 0 },
      { level: 2, kind: "nucleus", wanted: 500, found: 0 },
      { level: 2, kind: "mixed", wanted: 500, found: 0 },
      { level: 2, kind: "edge", wanted: 385, found: 0 },
    ],
  );
  assert.equal(kindsOf(levels[1]!.kinds).background!.xs.length, 115);
});

test("with sparse annotation the class none is background alone", () => {
  const { levels } = drawCentres({ ...request("sparse"), image: grey(512, 500, () => 200) });
  const kinds = kindsOf(levels[1]!.kinds);
  assert.equal(kinds.edge, undefined);
  assert.equal(kinds.background!.xs.length, 500);
});

test("99 of 100 pixels are mixed, 100 are nucleus", () => {
  const labels = squares(20, 10, [0, 0, 10, 1], [10, 0, 10, 1]);
  labels[0] = 0;
  const wanted = { ...request("complete"), image: grey(20, 10, () => 200), labels, reductions: [1, 10] };
  const kinds = kindsOf(drawCentres(wanted).levels[1]!.kinds);
  assert.deepEqual([...kinds.mixed!.xs], [0]);
  assert.deepEqual([...kinds.nucleus!.xs], [1]);
});

test("above 99 of 100 pixels of a larger block are nucleus, with a gap or two", () => {
  const labels = squares(40, 20, [0, 0, 20, 1], [20, 0, 20, 1]);
  labels.fill(0, 0, 4); // 396 of 400: f = .99
  labels.fill(0, 20, 23); // 397 of 400
  const wanted = { ...request("complete"), image: grey(40, 20, () => 200), labels, reductions: [1, 20] };
  const kinds = kindsOf(drawCentres(wanted).levels[1]!.kinds);
  assert.deepEqual([...kinds.mixed!.xs], [0]);
  assert.deepEqual([...kinds.nucleus!.xs], [1]);
});

test("is a function of seed and image id", () => {
  const centres = (seed: number, imageId: string) => drawCentres({ ...request("complete", seed), imageId });
  assert.deepEqual(centres(1, "a"), centres(1, "a"));
  assert.notDeepEqual(centres(1, "a").levels, centres(2, "a").levels);
  assert.notDeepEqual(centres(1, "a").levels, centres(1, "b").levels);
});
