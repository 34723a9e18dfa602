import assert from "node:assert/strict";
import { test } from "node:test";
import type { ImageSource } from "../lib/images/image-source.ts";
import { rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import type { Rect, RgbImage } from "../lib/method/image.ts";
import { createRandom } from "../lib/method/random.ts";
import { levelled, readSurrounded } from "./evaluate-region.ts";
import { createScratch } from "./scratch.ts";
import { createTilePixels } from "./tile-pixels.ts";

const REDUCTIONS = [1, 2, 4, 10];

/** An image of noise that counts how often it is read. */
function noise(width: number, height: number): ImageSource & { reads: number } {
  const random = createRandom("noise", width, height);
  const data = Uint8Array.from({ length: 3 * width * height }, () => random.int(256));
  const source = {
    width,
    height,
    reads: 0,
    readRegion: async ({ x, y, width: w, height: h }: Rect): Promise<RgbImage> => {
      source.reads++;
      const rows = Array.from({ length: h }, (_, row) => {
        const start = 3 * ((y + row) * width + x);
        return data.subarray(start, start + 3 * w);
      });
      return { width: w, height: h, data: Uint8Array.from(Buffer.concat(rows)) };
    },
  };
  return source;
}

for (const [width, height] of [
  [1_230, 517],
  [23, 1_041],
] as const) {
  test(`any part of any level of a tile is that of the whole image, of ${width} x ${height} pixels`, async () => {
    const image = levelled(noise(width, height), 1);
    const pixels = createTilePixels();
    const scratch = createScratch();
    for (const tile of tileGrid(width, height, 500)) {
      for (const reduction of REDUCTIONS) {
        const read = await pixels.level({ imageId: "a", image, tile, reductions: REDUCTIONS }, reduction);
        const rect = rectAtLevel(tile, reduction);
        const part = { ...rect, x: rect.x + Math.floor(rect.width / 2), width: Math.ceil(rect.width / 2) };
        for (const wanted of [rect, part]) {
          const given = await read(wanted, scratch);
          assert.ok(Buffer.from(given).equals(await readSurrounded(image, reduction, wanted)));
          scratch.give(given.buffer);
        }
      }
    }
  });
}

test("a tile's pixels are read once for level 1 and once for all coarser ones, another image's anew", async () => {
  const [one, other] = [noise(520, 40), noise(520, 40)];
  const pixels = createTilePixels();
  const tile = { x: 0, y: 0, width: 500, height: 40 };
  for (const [imageId, source] of [
    ["one", one],
    ["other", other],
  ] as const) {
    const place = { imageId, image: levelled(source, 1), tile, reductions: REDUCTIONS };
    for (const reduction of REDUCTIONS.toReversed()) {
      const read = await pixels.level(place, reduction);
      await read(rectAtLevel(tile, reduction), createScratch());
    }
  }
  assert.deepEqual([one.reads, other.reads], [2, 2]);
});
