import assert from "node:assert/strict";
import { test } from "node:test";
import type { RgbImage } from "./image.ts";
import { intensityOf, normalisationTable, normalise, opticalDensity, stainDensity } from "./normalisation.ts";
import { createRandom } from "./random.ts";

/** Tissue of random densities, `strength` times as strongly stained, on `glass` white pixels, seen by the light of a `lamp`. */
function tissue(strength: number, glass = 50, lamp: readonly number[] = [1, 1, 1]): RgbImage {
  const random = createRandom("tissue");
  const data = new Uint8Array(3 * (500 + glass));
  for (let i = 0; i < data.length; i++) {
    const density = i < 1_500 ? strength * (0.1 + 0.6 * random.next()) : 0;
    data[i] = Math.round(lamp[i % 3]! * intensityOf(density));
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

test("so does the same section by the light of another lamp, with glass in sight or none", () => {
  const lamps = [
    [0.93, 0.97, 1],
    [1, 0.97, 0.93],
    [0.9, 0.9, 0.9],
  ];
  for (const glass of [50, 0]) {
    const even = normalised(tissue(1, glass));
    for (const lamp of lamps) {
      assert.ok(greatestDifference(normalised(tissue(1, glass, lamp)), even) <= 3, `${lamp.join()} ${glass}`);
    }
  }
});

test("an image full of tissue keeps it: no lamp is taken for darker than a limit", () => {
  const dense = { width: 500, height: 1, data: new Uint8Array(1_500).map((_, i) => (i % 2 === 0 ? 90 : 120)) };
  const { white, tissue: mean } = stainDensity(dense);
  assert.deepEqual(white, [0.3, 0.3, 0.3]);
  assert.ok(mean.every((density) => density > opticalDensity(120) - 0.3));
});

test("how much glass is around the tissue changes nothing, nor does a black border", () => {
  const alone = tissue(1);
  assert.deepEqual(stainDensity(tissue(1, 5_000)), stainDensity(alone));
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
  assert.equal(lacking[254], Math.round(255 * (254 / 255) ** 4));
  assert.deepEqual(stainDensity({ width: 2, height: 1, data: new Uint8Array(6).fill(255) }), { white, tissue: white });
});
