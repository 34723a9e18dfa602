import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { encodeLabelPng } from "./label-png.fixture.ts";
import { decodeMask } from "./mask.ts";

const WIDTH = 8;
const HEIGHT = 6;
const RAW = { width: WIDTH, height: HEIGHT };
const VALUES = [0, 1, 255, 256, 40000, 65535];
const labels16 = Uint16Array.from({ length: WIDTH * HEIGHT }, (_, i) => VALUES[i % VALUES.length]!);
const spread = (channels: number) =>
  Uint16Array.from({ length: labels16.length * channels }, (_, i) => labels16[Math.floor(i / channels)]!);

const sixteenBit: readonly (readonly [string, () => Promise<Uint8Array>])[] = [
  [
    "grey PNG",
    () =>
      sharp(labels16, { raw: { ...RAW, channels: 1 } })
        .toColourspace("grey16")
        .png()
        .toBuffer(),
  ],
  [
    "grey TIFF",
    () =>
      sharp(labels16, { raw: { ...RAW, channels: 1 } })
        .toColourspace("grey16")
        .tiff({ compression: "deflate" })
        .toBuffer(),
  ],
  [
    "RGB PNG with equal channels",
    () =>
      sharp(spread(3), { raw: { ...RAW, channels: 3 } })
        .toColourspace("rgb16")
        .png()
        .toBuffer(),
  ],
  [
    "opaque grey PNG with alpha",
    () => {
      const data = spread(2).map((value, i) => (i % 2 === 1 ? 65535 : value));
      return sharp(data, { raw: { ...RAW, channels: 2 } })
        .toColourspace("grey16")
        .png()
        .toBuffer();
    },
  ],
];

for (const [name, make] of sixteenBit) {
  test(`keeps every 16-bit value of a ${name}`, async () => {
    const mask = await decodeMask(await make(), "auto");
    assert.equal(mask.kind, "labels");
    assert.deepEqual([...mask.labels], [...labels16]);
    assert.deepEqual([mask.width, mask.height], [WIDTH, HEIGHT]);
  });
}

const mask8 = (values: readonly number[], channels: 1 | 2 | 3 | 4 = 1) => {
  const data = Uint8Array.from({ length: WIDTH * HEIGHT * channels }, (_, i) =>
    channels % 2 === 0 && i % channels === channels - 1 ? 255 : values[Math.floor(i / channels) % values.length]!,
  );
  return sharp(data, { raw: { ...RAW, channels } })
    .toColourspace(channels < 3 ? "b-w" : "srgb")
    .png()
    .toBuffer();
};

test("auto takes two values for a binary mask and more for labels", async () => {
  for (const values of [[0], [7], [0, 255], [0, 1], [3, 9]]) {
    assert.equal((await decodeMask(await mask8(values), "auto")).kind, "binary", String(values));
  }
  for (const values of [
    [0, 1, 2],
    [5, 5, 5, 0, 255],
  ]) {
    assert.equal((await decodeMask(await mask8(values), "auto")).kind, "labels", String(values));
  }
});

test("binary turns every value above 0 into 1, labels keeps it", async () => {
  const bytes = await mask8([0, 17, 200]);
  assert.deepEqual([...(await decodeMask(bytes, "binary")).labels.subarray(0, 6)], [0, 1, 1, 0, 1, 1]);
  assert.deepEqual([...(await decodeMask(bytes, "labels")).labels.subarray(0, 6)], [0, 17, 200, 0, 17, 200]);
});

test("reads equal colour channels, with and without alpha, and palettes as one value", async () => {
  for (const channels of [2, 3, 4] as const) {
    const mask = await decodeMask(await mask8([0, 17, 200], channels), "labels");
    assert.deepEqual([...mask.labels.subarray(0, 4)], [0, 17, 200, 0], `${channels} channels`);
  }
  const palette = await sharp(await mask8([0, 255]))
    .png({ palette: true, colours: 2 })
    .toBuffer();
  assert.deepEqual([...(await decodeMask(palette, "labels")).labels.subarray(0, 3)], [0, 255, 0]);
});

test("reads back the labels that encodeLabelPng wrote", async () => {
  const arbitrary = fc
    .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }))
    .chain(([width, height]) =>
      fc.record({
        width: fc.constant(width),
        height: fc.constant(height),
        labels: fc.uint16Array({ minLength: width * height, maxLength: width * height }),
      }),
    );
  await fc.assert(
    fc.asyncProperty(arbitrary, async ({ width, height, labels }) => {
      const mask = await decodeMask(await encodeLabelPng(width, height, Uint16Array.from(labels)), "labels");
      assert.deepEqual([...mask.labels], [...labels]);
    }),
    { numRuns: 50 },
  );
});
