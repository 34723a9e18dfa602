import assert from "node:assert/strict";
import { test } from "node:test";
import { intensityOf } from "./normalisation.ts";
import { PATCH_BYTES } from "./patches.ts";
import { createRandom } from "./random.ts";
import { drawStaining, restain, STAINS, type Staining, UNMIXING } from "./stain.ts";

const PLANE = PATCH_BYTES / 3;

/** A patch of one colour, given by optical densities. */
function patchOf(densities: readonly number[]): Uint8Array {
  const patch = new Uint8Array(PATCH_BYTES);
  for (const [channel, density] of densities.entries())
    patch.fill(Math.round(intensityOf(density)), channel * PLANE, (channel + 1) * PLANE);
  return patch;
}
const colourOf = (patch: Uint8Array): number[] => [patch[0]!, patch[PLANE]!, patch[2 * PLANE]!];
const close = (actual: readonly number[], expected: readonly number[], tolerance: number): void => {
  for (const [i, value] of actual.entries()) {
    assert.ok(Math.abs(value - expected[i]!) <= tolerance, `${actual} against ${expected}`);
  }
};

test("scaling haematoxylin alone changes a pixel of haematoxylin alone by Beer-Lambert", () => {
  const amount = 0.8;
  const patch = patchOf([0.65 * amount, 0.7 * amount, 0.29 * amount]);
  restain(patch, 0, { scales: [1.5, 1, 1], shifts: [0, 0, 0], lamp: [0, 0, 0] });
  close(
    colourOf(patch),
    [0.65, 0.7, 0.29].map((density) => intensityOf(1.5 * amount * density)),
    2,
  );
});

test("eosin stays as it is when haematoxylin is scaled, and gets darker by a shift of its own", () => {
  const eosin = [0.07, 0.99, 0.11];
  const patch = patchOf(eosin);
  restain(patch, 0, { scales: [2, 1, 1], shifts: [0, 0, 0], lamp: [0, 0, 0] });
  close(colourOf(patch), eosin.map(intensityOf), 3);
  restain(patch, 0, { scales: [1, 1, 1], shifts: [0, 0.3, 0], lamp: [0, 0, 0] });
  close(
    colourOf(patch),
    eosin.map((density) => intensityOf(1.3 * density)),
    3,
  );
});

test("another lamp shifts every channel by its own density, whatever the stain", () => {
  for (const densities of [
    [0.3, 0.5, 0.2],
    [0.8, 0.9, 0.4],
  ]) {
    const patch = patchOf(densities);
    restain(patch, 0, { scales: [1, 1, 1], shifts: [0, 0, 0], lamp: [0.07, -0.03, 0] });
    const [red = 0, green = 0, blue = 0] = densities;
    close(colourOf(patch), [red + 0.07, green - 0.03, blue].map(intensityOf), 2);
  }
});

test("the staining that changes nothing changes nothing, and only the named patch is touched", () => {
  const data = new Uint8Array(3 * PATCH_BYTES).map((_, i) => i % 256);
  const before = data.slice();
  restain(data, PATCH_BYTES, { scales: [1, 1, 1], shifts: [0, 0, 0], lamp: [0, 0, 0] });
  // intensities 0 and 1 are the same density
  assert.ok(data.every((value, i) => Math.abs(value - before[i]!) <= 1));
  restain(data, PATCH_BYTES, { scales: [2, 2, 2], shifts: [0, 0, 0], lamp: [0, 0, 0] });
  assert.deepEqual(data.subarray(0, PATCH_BYTES), before.subarray(0, PATCH_BYTES));
  assert.deepEqual(data.subarray(2 * PATCH_BYTES), before.subarray(2 * PATCH_BYTES));
  assert.notDeepEqual(data.subarray(PATCH_BYTES, 2 * PATCH_BYTES), before.subarray(PATCH_BYTES, 2 * PATCH_BYTES));
});

test("the widest jitter leaves no density that the table lacks: what is paler than glass is white, the darkest black", () => {
  const random = createRandom("wide");
  for (let i = 0; i < 200; i++) {
    const { scales, shifts, lamp } = drawStaining(random, 1);
    // the outermost scales, and pixels that are black in some channels and white in others
    const staining = { scales: scales.map((scale) => (scale < 1 ? 1 / Math.E : Math.E)), shifts, lamp };
    const dark = [i & 1, i & 2, i & 4].map((bit) => bit > 0);
    const patch = new Uint8Array(PATCH_BYTES).map((_, at) => (dark[Math.floor(at / PLANE)] ? 0 : 255));
    restain(patch, 0, staining);
    const densities = restained(
      dark.map((isDark) => (isDark ? Math.log(255) : 0)),
      staining,
    );
    close(
      colourOf(patch),
      densities.map((density) => Math.min(255, intensityOf(density))),
      1,
    );
  }
});

/** What becomes of a colour's optical densities, by stain: unmixed, scaled and shifted, put together again. */
function restained(densities: readonly number[], { scales, shifts, lamp }: Staining): number[] {
  const amounts = densities.reduce(
    (sums, density, colour) => sums.map((sum, stain) => sum + density * UNMIXING[colour]![stain]!),
    [0, 0, 0],
  );
  const changed = amounts.map((amount, stain) => amount * scales[stain]! + shifts[stain]!);
  return lamp.map((light, colour) =>
    changed.reduce((sum, amount, stain) => sum + amount * STAINS[stain]![colour]!, light),
  );
}

test("stainings are drawn within their bounds, evenly paler and darker, and are a function of the stream", () => {
  const jitter = 0.3;
  const draw = () => {
    const random = createRandom("stainings");
    return Array.from({ length: 2_000 }, () => drawStaining(random, jitter));
  };
  const drawn = draw();
  assert.deepEqual(draw(), drawn);
  const logs = drawn.flatMap(({ scales }) => scales.map(Math.log));
  const shifts = drawn.flatMap((staining) => staining.shifts);
  assert.ok(logs.every((value) => Math.abs(value) <= jitter) && shifts.every((value) => Math.abs(value) <= jitter / 5));
  const lamps = drawn.flatMap(({ lamp }) => lamp);
  assert.ok(lamps.every((value) => Math.abs(value) <= jitter / 4));
  assert.ok(Math.max(...lamps) > 0.24 * jitter && Math.min(...lamps) < -0.24 * jitter);
  const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
  assert.ok(Math.abs(mean) < 0.01, `${mean}`);
});
