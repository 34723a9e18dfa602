import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { DomainError } from "../errors.ts";
import { stainDensity } from "../method/normalisation.ts";
import { createRandom } from "../method/random.ts";
import { describeImage, describeMask } from "./describe-image.ts";

const LIMITS = { maxPixels: 1_000_000 };
const [WIDTH, HEIGHT] = [90, 70];

const noise = (channels: 1 | 2 | 3 | 4, width = WIDTH, height = HEIGHT) => {
  const random = createRandom("noise", channels);
  const data = Uint8Array.from({ length: width * height * channels }, () => random.int(256));
  return sharp(data, { raw: { width, height, channels } });
};

const grey16 = () =>
  sharp(new Uint16Array(WIDTH * HEIGHT).fill(300), {
    raw: { width: WIDTH, height: HEIGHT, channels: 1 },
  }).toColourspace("grey16");

const refused = (reason: string, words: RegExp) => (thrown: unknown) => {
  assert.ok(thrown instanceof DomainError, String(thrown));
  assert.equal(thrown.kind, "invalidArgument");
  assert.equal(thrown.reason, reason);
  assert.match(thrown.message, words);
  return true;
};

const grey = () => noise(1).toColourspace("b-w");
const pyramid = { tile: true, pyramid: true, tileWidth: 64, tileHeight: 64 } as const;

const accepted: readonly (readonly [string, () => Promise<Uint8Array>, string, number])[] = [
  ["a grey PNG", () => grey().png().toBuffer(), "png", 1],
  ["a grey PNG with alpha", () => noise(2).toColourspace("b-w").png().toBuffer(), "png", 2],
  ["an RGB PNG", () => noise(3).png().toBuffer(), "png", 3],
  ["an RGBA PNG", () => noise(4).png().toBuffer(), "png", 4],
  ["a palette PNG", () => noise(3).png({ palette: true, colours: 16 }).toBuffer(), "png", 3],
  ["an RGB JPEG", () => noise(3).jpeg().toBuffer(), "jpeg", 3],
  ["a progressive grey JPEG", () => grey().jpeg({ progressive: true }).toBuffer(), "jpeg", 1],
  ["an RGB TIFF", () => noise(3).tiff({ compression: "lzw" }).toBuffer(), "tiff", 3],
  ["a JPEG-compressed TIFF", () => noise(3).tiff({ compression: "jpeg" }).toBuffer(), "tiff", 3],
  ["a pyramid", () => noise(3, 300, 300).tiff(pyramid).toBuffer(), "tiff", 3],
];

for (const [name, make, format, channels] of accepted) {
  test(`takes ${name}`, async () => {
    const { stainDensity, ...header } = await describeImage(await make(), LIMITS);
    const side = name === "a pyramid" ? { width: 300, height: 300 } : { width: WIDTH, height: HEIGHT };
    assert.deepEqual(header, { ...side, format, channels, bits: 8, tiled: name === "a pyramid" });
    assert.ok(stainDensity.tissue.every((density) => density > 0.1 && density < 3));
  });
}

test("gives a large image nearly the stain density of its pixels", async () => {
  const [width, height] = [2_400, 2_100];
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => 120 + 40 * (i % 3) + 10 * ((i >> 12) % 3));
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const described = await describeImage(await image.png({ compressionLevel: 1 }).toBuffer(), { maxPixels: 10_000_000 });
  const exact = stainDensity({ width, height, data });
  for (const part of ["white", "tissue"] as const) {
    for (const [i, density] of described.stainDensity[part].entries()) {
      assert.ok(Math.abs(density - exact[part][i]!) < 0.01, `${part} ${i}`);
    }
  }
});

test("takes white and stain of a large image from pixels as they are, not from their means", async () => {
  const [width, height] = [2_400, 2_100];
  const data = new Uint8Array(3 * width * height).map((_, i) => (Math.floor(i / 3) % 5 === 0 ? 250 : 120));
  const image = sharp(data, { raw: { width, height, channels: 3 } }).tiff({ compression: "lzw" });
  const { stainDensity: described } = await describeImage(await image.toBuffer(), { maxPixels: 10_000_000 });
  assert.deepEqual(described.white, stainDensity({ width, height, data }).white);
});

test("refuses a large image whose last tile is damaged", async () => {
  const side = 8_193; // one pixel in five each way is looked at, and the last tile holds one
  const image = sharp({ create: { width: side, height: side, channels: 3, background: "#c8a" } });
  const tiles = { tile: true, tileWidth: 256, tileHeight: 256, compression: "deflate" } as const;
  const tiled = Uint8Array.from(await image.tiff(tiles).toBuffer());
  const view = new DataView(tiled.buffer);
  const directory = view.getUint32(4, true);
  const entry = Array.from({ length: view.getUint16(directory, true) }, (_, i) => directory + 2 + 12 * i).find(
    (at) => view.getUint16(at, true) === 324, // tile offsets
  );
  assert.ok(entry !== undefined);
  const last = view.getUint32(view.getUint32(entry + 8, true) + 4 * (view.getUint32(entry + 4, true) - 1), true);
  tiled.fill(0xff, last, last + 8);
  await assert.rejects(describeImage(tiled, { maxPixels: 70_000_000 }), refused("IMAGE_UNREADABLE", /damaged/));
});

for (const big of [false, true]) {
  test(`sees the tiles of a ${big ? "BigTIFF" : "TIFF"}`, async () => {
    const bytes = await noise(3).tiff({ tile: true, tileWidth: 32, tileHeight: 32, bigtiff: big }).toBuffer();
    assert.equal((await describeImage(bytes, LIMITS)).tiled, true);
    const strips = await noise(3).tiff({ bigtiff: big }).toBuffer();
    assert.equal((await describeImage(strips, LIMITS)).tiled, false);
  });
}

test("refuses an empty file, another format and a format in disguise", async () => {
  await assert.rejects(describeImage(new Uint8Array(), LIMITS), refused("IMAGE_UNREADABLE", /empty/));
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  await assert.rejects(describeImage(svg, LIMITS), refused("IMAGE_UNSUPPORTED", /not a PNG, TIFF or JPEG.*3c737667/));
  const webp = await noise(3).webp().toBuffer();
  await assert.rejects(describeImage(webp, LIMITS), refused("IMAGE_UNSUPPORTED", /convert it/));
  const text = Buffer.from("\x89PNG\r\n\x1a\nthis is no image at all", "latin1");
  await assert.rejects(describeImage(text, LIMITS), refused("IMAGE_UNREADABLE", /damaged/));
});

test("refuses 16 bits, CMYK and float images, and a stack of pages", async () => {
  await assert.rejects(
    describeImage(await grey16().png().toBuffer(), LIMITS),
    refused("IMAGE_UNSUPPORTED", /16 bits per channel; save it with 8/),
  );
  const cmyk = await noise(3).toColourspace("cmyk").jpeg().toBuffer();
  await assert.rejects(describeImage(cmyk, LIMITS), refused("IMAGE_UNSUPPORTED", /"cmyk" with 4 channels/));
  const pages = await Promise.all([20, 20, 20].map((side) => noise(3, side, side).png().toBuffer()));
  const stack = await sharp(pages, { join: { animated: true } })
    .tiff()
    .toBuffer();
  await assert.rejects(describeImage(stack, LIMITS), refused("IMAGE_UNSUPPORTED", /3 pages/));
});

test("refuses what viewers show turned: an image and its mask would not lie alike", async () => {
  for (const format of ["png", "jpeg", "tiff"] as const) {
    const turned = await noise(3).withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
    await assert.rejects(describeImage(turned, LIMITS), refused("IMAGE_UNSUPPORTED", /orientation 6.*without the tag/));
    await describeImage(await noise(3).withMetadata({ orientation: 1 }).toFormat(format).toBuffer(), LIMITS);
  }
  const mask = await grey().withMetadata({ orientation: 3 }).png().toBuffer();
  await assert.rejects(describeMask(mask, LIMITS), refused("IMAGE_UNSUPPORTED", /mask: .*orientation 3/));
});

test("a compression that the decoder was built without is no damage", async () => {
  const bytes = await noise(3).tiff({ compression: "lzw" }).toBuffer();
  const compression = bytes.indexOf(Buffer.from([0x03, 0x01, 3, 0, 1, 0, 0, 0, 5, 0])); // tag 259, SHORT, one value, LZW
  assert.ok(compression > 0);
  bytes.writeUInt16LE(34925, compression + 8);
  await assert.rejects(describeImage(bytes, LIMITS), refused("IMAGE_UNSUPPORTED", /LZMA.*save it with LZW/));
});

test("refuses too many pixels by what the header says, however few bytes there are", async () => {
  const large = await sharp({ create: { width: 1001, height: 1000, channels: 3, background: "#fff" } })
    .png()
    .toBuffer();
  await assert.rejects(describeImage(large, LIMITS), refused("IMAGE_TOO_LARGE", /1001 x 1000.*limit of 1000000/));
  // A header alone (signature, IHDR, an IDAT that never comes) that asks for 40 terapixels.
  const bomb = Buffer.from(await noise(3).png().toBuffer()).subarray(0, 60);
  bomb.writeUInt32BE(6_000_000, 16);
  bomb.writeUInt32BE(6_000_000, 20);
  await assert.rejects(describeImage(bomb, LIMITS), (thrown) => thrown instanceof DomainError);
});

for (const format of ["png", "jpeg", "tiff"] as const) {
  test(`refuses a ${format} that is cut short or overwritten`, async () => {
    const whole = await noise(3, 400, 300)
      .toFormat(format, format === "tiff" ? { compression: "deflate" } : {})
      .toBuffer();
    await describeImage(whole, LIMITS);
    for (const kept of [whole.length - 20, whole.length >> 1, 300]) {
      await assert.rejects(describeImage(whole.subarray(0, kept), LIMITS), refused("IMAGE_UNREADABLE", /cut short/));
    }
    if (format === "jpeg") return; // a JPEG has no checksum
    const damaged = Uint8Array.from(whole);
    damaged.fill(7, whole.length >> 1, (whole.length >> 1) + 64);
    await assert.rejects(describeImage(damaged, LIMITS), refused("IMAGE_UNREADABLE", /damaged/));
  });
}

test("refuses a tiled TIFF with one broken tile", async () => {
  const bytes = await noise(3, 400, 300)
    .tiff({ compression: "deflate", tile: true, tileWidth: 64, tileHeight: 64 })
    .toBuffer();
  bytes[bytes.length >> 1]! ^= 0xff;
  await assert.rejects(describeImage(bytes, LIMITS), refused("IMAGE_UNREADABLE", /damaged/));
});

test("takes lossless 8- and 16-bit masks", async () => {
  const eight = await describeMask(await noise(1).toColourspace("b-w").png().toBuffer(), LIMITS);
  assert.deepEqual([eight.bits, eight.format], [8, "png"]);
  const sixteen = await describeMask(await grey16().tiff({ compression: "lzw" }).toBuffer(), LIMITS);
  assert.deepEqual([sixteen.bits, sixteen.format, sixteen.width], [16, "tiff", WIDTH]);
});

test("refuses lossy masks, colours and transparency", async () => {
  const lossy = /changes labels; export the mask/;
  await assert.rejects(describeMask(await grey().jpeg().toBuffer(), LIMITS), refused("IMAGE_UNSUPPORTED", lossy));
  const tiff = await grey().tiff({ compression: "jpeg" }).toBuffer();
  await assert.rejects(describeMask(tiff, LIMITS), refused("IMAGE_UNSUPPORTED", /compression 7 .*changes labels/));
  const colours = await noise(3).png().toBuffer();
  await assert.rejects(describeMask(colours, LIMITS), refused("IMAGE_UNSUPPORTED", /colour channels differ/));
  const seeThrough = await noise(2).toColourspace("b-w").png().toBuffer();
  await assert.rejects(describeMask(seeThrough, LIMITS), refused("IMAGE_UNSUPPORTED", /transparent/));
});

test("refuses a grey TIFF mask whose 0 is white", async () => {
  const bytes = await grey().tiff({ compression: "deflate" }).toBuffer();
  await describeMask(bytes, LIMITS);
  const photometric = bytes.indexOf(Buffer.from([0x06, 0x01, 3, 0, 1, 0, 0, 0, 1, 0])); // tag 262, SHORT, one value, 1
  assert.ok(photometric > 0);
  bytes[photometric + 8] = 0;
  await assert.rejects(describeMask(bytes, LIMITS), refused("IMAGE_UNSUPPORTED", /inverted/));
});

test("refuses a mask that is cut short", async () => {
  const whole = await grey16().png({ compressionLevel: 0 }).toBuffer();
  await assert.rejects(describeMask(whole.subarray(0, whole.length - 500), LIMITS), refused("IMAGE_UNREADABLE", /cut/));
});
