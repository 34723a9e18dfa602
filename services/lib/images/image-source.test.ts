import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { describeImage } from "./describe-image.ts";
import { encodePng } from "./encode-png.ts";
import { openImage } from "./image-source.ts";
import { isTiled } from "./tiff-tags.ts";
import { toTiledTiff } from "./tiled-tiff.ts";

const pattern = (width: number, height: number, channels: 1 | 3 | 4) =>
  Uint8Array.from({ length: width * height * channels }, (_, i) => ((i * 2654435761) >>> 11) & 255);

const cut = (data: Uint8Array, stride: number, x: number, y: number, width: number, height: number) =>
  Array.from({ length: height }, (_, row) => [
    ...data.subarray(3 * ((y + row) * stride + x), 3 * ((y + row) * stride + x + width)),
  ]).flat();

test("cuts any region of a small image exactly", async () => {
  const [width, height] = [37, 23];
  const data = pattern(width, height, 3);
  const image = await openImage(await encodePng({ width, height, channels: 3, data }));
  assert.deepEqual([image.width, image.height], [width, height]);
  const rect = fc
    .tuple(fc.integer({ min: 0, max: width - 1 }), fc.integer({ min: 0, max: height - 1 }))
    .chain(([x, y]) =>
      fc.record({
        x: fc.constant(x),
        y: fc.constant(y),
        width: fc.integer({ min: 1, max: width - x }),
        height: fc.integer({ min: 1, max: height - y }),
      }),
    );
  await fc.assert(
    fc.asyncProperty(rect, async (region) => {
      const got = await image.readRegion(region);
      assert.deepEqual([got.width, got.height], [region.width, region.height]);
      assert.deepEqual([...got.data], cut(data, width, region.x, region.y, region.width, region.height));
    }),
  );
});

test("cuts the same pixels from the tiles of a large image", async () => {
  const [width, height] = [2100, 1950];
  const data = pattern(width, height, 3);
  const source = await encodePng({ width, height, channels: 3, data });
  assert.equal(isTiled(source), false);
  const tiled = await toTiledTiff(source);
  assert.equal(isTiled(tiled), true);
  assert.equal((await describeImage(tiled, { maxPixels: 5_000_000 })).tiled, true);
  const image = await openImage(tiled);
  for (const [x, y, w, h] of [
    [0, 0, 30, 20],
    [500, 500, 40, 40],
    [1023, 511, 3, 3],
    [2080, 1900, 20, 50],
  ] as const) {
    const got = await image.readRegion({ x, y, width: w, height: h });
    assert.deepEqual([...got.data], cut(data, width, x, y, w, h), `region at ${x}, ${y}`);
  }
});

test("a tiled copy reads as the same pixels as its RGBA source", async () => {
  const [width, height] = [120, 90];
  const rgba = await sharp(pattern(width, height, 4), { raw: { width, height, channels: 4 } })
    .png()
    .toBuffer();
  const whole = { x: 0, y: 0, width, height };
  const direct = await (await openImage(rgba)).readRegion(whole);
  const copy = await (await openImage(await toTiledTiff(rgba))).readRegion(whole);
  assert.deepEqual(copy.data, direct.data);
});

test("takes RGB as it is, whatever alpha says, and repeats grey in three channels", async () => {
  const pixels = Uint8Array.from([10, 20, 30, 255, 40, 50, 60, 0]);
  const rgba = await sharp(pixels, { raw: { width: 2, height: 1, channels: 4 } })
    .png()
    .toBuffer();
  const first = await (await openImage(rgba)).readRegion({ x: 0, y: 0, width: 2, height: 1 });
  assert.deepEqual([...first.data], [10, 20, 30, 40, 50, 60]);
  const grey = await encodePng({ width: 2, height: 1, channels: 1, data: Uint8Array.from([5, 250]) });
  const second = await (await openImage(grey)).readRegion({ x: 0, y: 0, width: 2, height: 1 });
  assert.deepEqual([...second.data], [5, 5, 5, 250, 250, 250]);
});

test("an ICC profile changes no pixel", async () => {
  const [width, height] = [6, 4];
  const data = pattern(width, height, 3);
  const tagged = await sharp(data, { raw: { width, height, channels: 3 } })
    .withIccProfile("p3", { attach: true })
    .png()
    .toBuffer();
  assert.equal((await sharp(tagged).metadata()).hasProfile, true);
  const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
  const image = await openImage(tagged);
  assert.deepEqual([image.width, image.height], [width, height]);
  assert.deepEqual([...(await image.readRegion({ x: 0, y: 0, width, height })).data], [...stored]);
});

test("refuses a region that is empty, fractional or leaves the image", async () => {
  const image = await openImage(await encodePng({ width: 4, height: 3, channels: 1, data: new Uint8Array(12) }));
  for (const [x, y, width, height] of [
    [0, 0, 5, 1],
    [-1, 0, 2, 2],
    [0, 0, 0, 1],
    [0.5, 0, 1, 1],
    [3, 2, 1, 2],
  ] as const) {
    await assert.rejects(image.readRegion({ x, y, width, height }), RangeError);
  }
});

test("encodePng writes the same bytes each time, without metadata, and refuses a wrong length", async () => {
  const image = { width: 50, height: 40, channels: 3, data: pattern(50, 40, 3) } as const;
  const [first, second] = await Promise.all([encodePng(image), encodePng(image)]);
  assert.deepEqual(first, second);
  const { hasProfile, exif, comments } = await sharp(first).metadata();
  assert.deepEqual([hasProfile, exif, comments], [false, undefined, undefined]);
  assert.equal(
    (await sharp(await encodePng({ ...image, channels: 1, data: pattern(50, 40, 1) })).metadata()).channels,
    1,
  );
  await assert.rejects(encodePng({ ...image, width: 51 }), RangeError);
});
