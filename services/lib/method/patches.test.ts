import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RgbImage } from "./image.ts";
import { mirroredRegion } from "./mirror.ts";
import { type Centres, CLASSIFIED_PX, cutPatches, mirrorPatch, PATCH_BYTES, PATCH_SIZE_PX } from "./patches.ts";
import { createRandom } from "./random.ts";
import { createRowCopier } from "./row-copier.ts";

const PLANE = PATCH_SIZE_PX * PATCH_SIZE_PX;

const randomImage = (width: number, height: number): RgbImage => {
  const random = createRandom("patches", width, height);
  return { width, height, data: Uint8Array.from({ length: 3 * width * height }, () => random.int(256)) };
};

const copier = createRowCopier();

/** Patches one after the other. */
const cut = (levelImage: RgbImage, { xs, ys }: Centres): Uint8Array => {
  cutPatches(copier, levelImage, { xs, ys }, { offset: copier.start, stride: PATCH_BYTES });
  return Uint8Array.from(copier.bytes.subarray(copier.start, copier.start + 2 * xs.length * PATCH_BYTES));
};

const image = randomImage(60, 45);
const centres = { xs: [30, 0, 59, 16], ys: [20, 0, 44, 40] };
const patches = cut(image, centres);
const patch = (i: number) => patches.subarray(i * PATCH_BYTES, (i + 1) * PATCH_BYTES);

const classified = (pixels: Uint8Array) =>
  [0, 1, 2].map((c) => pixels[c * PLANE + CLASSIFIED_PX * PATCH_SIZE_PX + CLASSIFIED_PX]);

const mirrored = (pixels: Uint8Array, horizontally: boolean, vertically: boolean): Uint8Array => {
  const target = new Uint8Array(PATCH_BYTES + 16).fill(7);
  target.set(pixels, 8);
  mirrorPatch(new Int32Array(target.buffer), 2, { horizontally, vertically });
  const around = [...target.subarray(0, 8), ...target.subarray(8 + PATCH_BYTES)];
  assert.ok(around.every((byte) => byte === 7));
  return target.subarray(8, 8 + PATCH_BYTES);
};

test("cuts the 32 pixels from 16 before the centre on, mirrored at the border", () => {
  for (let i = 0; i < 4; i++) {
    const { xs, ys } = centres;
    assert.deepEqual(patch(2 * i).slice(), mirroredRegion(image, xs[i]! - 16, ys[i]! - 16, 32, 32));
  }
});

test("cuts the same pixels of images however small, and turns them about the classified one", () => {
  const side = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(side, side, fc.nat(), (width, height, seed) => {
      const small = randomImage(width, height);
      const x = seed % width;
      const y = (seed >>> 6) % height;
      const [upright, turned] = [cut(small, { xs: [x], ys: [y] }), cut(small, { xs: [x], ys: [y] }).slice(PATCH_BYTES)];
      const window = mirroredRegion(small, x - 16, y - 16, 33, 33);
      for (let at = 0; at < PATCH_BYTES; at++) {
        const [channel, i, j] = [Math.floor(at / PLANE), Math.floor(at / 32) % 32, at % 32];
        assert.equal(upright[at], window[(channel * 33 + i) * 33 + j]);
        assert.equal(turned[at], window[(channel * 33 + j) * 33 + 32 - i]);
      }
    }),
    { numRuns: 60 },
  );
});

test("the classified pixel stays at index 16 under rotation and mirroring", () => {
  for (let i = 0; i < 4; i++) {
    const at = 3 * (centres.ys[i]! * image.width + centres.xs[i]!);
    const expected = [...image.data.subarray(at, at + 3)];
    for (const rotated of [patch(2 * i), patch(2 * i + 1)]) {
      for (const horizontally of [false, true]) {
        for (const vertically of [false, true]) {
          assert.deepEqual(classified(mirrored(rotated, horizontally, vertically)), expected);
        }
      }
    }
  }
});

/** The 33-pixel window turned counter-clockwise by 90 degrees, as an image. */
const turn = (window: RgbImage): RgbImage => {
  const side = window.width;
  const data = new Uint8Array(window.data.length);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      for (let c = 0; c < 3; c++) data[3 * ((side - 1 - x) * side + y) + c] = window.data[3 * (y * side + x) + c]!;
    }
  }
  return { width: side, height: side, data };
};

test("the second patch of a centre is the 33-pixel window turned by 90 degrees; four turns are none", () => {
  const window = randomImage(33, 33);
  let turned = window;
  for (let quarter = 0; quarter < 4; quarter++) {
    const pair = cut(turned, { xs: [16], ys: [16] });
    turned = turn(turned);
    const next = cut(turned, { xs: [16], ys: [16] });
    assert.deepEqual(pair.slice(PATCH_BYTES), next.slice(0, PATCH_BYTES));
  }
  assert.deepEqual(turned.data, window.data);
});

test("column j becomes column 32 - j and column 0 repeats its neighbour; rows alike", () => {
  const source = patch(0);
  const at = (pixels: Uint8Array, c: number, row: number, column: number) =>
    pixels[c * PLANE + row * PATCH_SIZE_PX + column];
  const sideways = mirrored(source, true, false);
  const upside = mirrored(source, false, true);
  for (let c = 0; c < 3; c++) {
    for (let i = 0; i < PATCH_SIZE_PX; i++) {
      for (let j = 1; j < PATCH_SIZE_PX; j++) {
        assert.equal(at(sideways, c, i, 32 - j), at(source, c, i, j));
        assert.equal(at(upside, c, 32 - j, i), at(source, c, j, i));
      }
      assert.equal(at(sideways, c, i, 0), at(sideways, c, i, 1));
      assert.equal(at(upside, c, 0, i), at(upside, c, 1, i));
    }
  }
});

test("mirrors both ways as one after the other, and not at all as a copy", () => {
  const source = patch(2);
  assert.deepEqual(mirrored(source, true, true).slice(), mirrored(mirrored(source, true, false), false, true).slice());
  assert.deepEqual(mirrored(source, false, false).slice(), source.slice());
});
