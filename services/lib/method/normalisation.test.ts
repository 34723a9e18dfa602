import assert from "node:assert/strict";
import { test } from "node:test";
import type { RgbImage } from "./image.ts";
import { intensityOf, normalisationTable, normalise, opticalDensity, stainDensity } from "./normalisation.ts";
import { createRandom } from "./random.ts";

/** Densities of white glass by the usual lamp. */
const USUAL = [0.08, 0.11, 0.075];

/** Tissue of random densities, `strength` times as strongly stained, on `glass` white pixels, by a lamp that adds to the usual densities. */
function tissue(strength: number, glass = 50, added: readonly number[] = [0, 0, 0]): RgbImage {
  const random = createRandom("tissue");
  const data = new Uint8Array(3 * (500 + glass));
  for (let i = 0; i < data.length; i++) {
    const density = i < 1_500 ? strength * (0.1 + 0.6 * random.next()) : 0;
    data[i] = Math.round(intensityOf(density + USUAL[i % 3]! + added[i % 3]!));
  }
  return { width: 500 + glass, height: 1, data };
}
const tableOf = (image: RgbImage): Uint8Array => normalisationTable(stainDensity(image));
const normalised = (image: RgbImage): Uint8Array => normalise(image, tableOf(image)).data;
const greatestDifference = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

test("the same section stained paler or darker comes to the same pixels, to the grey levels that rounding cost", () => {
  const even = normalised(tissue(1));
  for (const strength of [0.5, 0.7, 1.4, 2])
    assert.ok(greatestDifference(normalised(tissue(strength)), even) <= 5, `${strength}`);
});

test("so does the same section by the light of another lamp, but for what might be the image's own", () => {
  const even = normalised(tissue(1));
  const doubt = 0.025;
  for (const added of [
    [0.07, 0.03, 0],
    [0.1, 0.1, 0.1],
    [-0.06, -0.1, 0],
    [0.15, -0.1, 0.03],
  ]) {
    const difference = greatestDifference(normalised(tissue(1, 50, added)), even);
    const untreated = Math.max(...added.map((density) => 255 * (1 - Math.exp(-Math.abs(density)))));
    assert.ok(difference <= 2 * 255 * doubt && difference < untreated, `${added.join()}: ${difference}`);
  }
});

test("a white that differs less than images of one lamp do is taken for the usual one", () => {
  for (const added of [
    [0.02, -0.02, 0.02],
    [-0.02, 0.02, 0],
  ])
    assert.deepEqual(stainDensity(tissue(1, 50, added)).white, USUAL);
  const { white } = stainDensity(tissue(1, 50, [0.1, 0, -0.07]));
  for (const [i, density] of [0.155, 0.11, 0.03].entries())
    assert.ok(Math.abs(white[i]! - density) < 0.003, `${white}`);
});

test("an image full of tissue keeps it: no lamp is taken for darker than a limit", () => {
  const dense = { width: 500, height: 1, data: new Uint8Array(1_500).map((_, i) => (i % 2 === 0 ? 90 : 120)) };
  const { white, tissue: mean } = stainDensity(dense);
  assert.deepEqual(white, [0.3, 0.3, 0.3]);
  assert.ok(mean.every((density) => density > opticalDensity(120) - 0.3));
});

test("how much glass is around the tissue changes nothing, nor does a black border", () => {
  const alone = tissue(1);
  assert.ok(greatestDifference(tableOf(tissue(1, 5_000)), tableOf(alone)) <= 5); // of which a rounded white makes some
  const bordered = { width: 700, height: 1, data: new Uint8Array(2_100) };
  bordered.data.set(alone.data);
  assert.deepEqual(stainDensity(bordered), stainDensity(alone));
});

test("each channel is normalised by itself", () => {
  const data = tissue(1).data;
  const redder = data.map((value, i) => (i % 3 === 0 ? Math.round(intensityOf(1.5 * opticalDensity(value))) : value));
  const difference = greatestDifference(normalised({ width: 550, height: 1, data: redder }), normalised(tissue(1)));
  assert.ok(difference <= 12, `${difference}`); // the pixels' weights are a little different, so the means are
});

test("the table rises, keeps white white, and an image without tissue is not blown up beyond bounds", () => {
  const white = [0, 0, 0];
  const lacking = normalisationTable({ white, tissue: [0, 0, 0] });
  const darkest = normalisationTable({ white, tissue: [9, 9, 9] });
  const tables = [tableOf(tissue(1)), lacking, darkest];
  for (const table of tables) {
    for (let channel = 0; channel < 3; channel++) {
      const values = table.subarray(256 * channel, 256 * (channel + 1));
      assert.equal(values[255], 255);
      assert.ok(values.every((value, i) => i === 0 || value >= values[i - 1]!));
    }
  }
  assert.ok(lacking.every((value, i) => value === Math.max(1, i % 256))); // 0 and 1 are one density
  assert.equal(darkest[100], Math.round(255 * (100 / 255) ** 0.25));
  const blank = stainDensity({ width: 2, height: 1, data: new Uint8Array(6).fill(251) });
  assert.deepEqual(blank.tissue, [0, 0, 0]);
});
