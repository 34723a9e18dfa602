import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { encodePng } from "./encode-png.ts";
import { encodeResultPng, isResultPng, RESULT_HEAD_BYTES } from "./result-png.ts";

test("a result says in its head, as PNG says such things, who wrote it, and has the pixels it was given", async () => {
  const data = Uint8Array.from({ length: 12 }, (_, i) => 20 * i);
  for (const channels of [1, 3] as const) {
    const pixels = { width: 12 / channels, height: 1, channels, data };
    const result = await encodeResultPng(pixels);
    const image = sharp(result, { failOn: "warning" }); // a wrong checksum is one
    assert.deepEqual((await image.metadata()).comments, [{ keyword: "Software", text: "radhical" }]);
    assert.deepEqual(
      [
        ...(await image
          .toColourspace(channels === 1 ? "b-w" : "srgb")
          .raw()
          .toBuffer()),
      ],
      [...data],
    );
    assert.equal(isResultPng(result.subarray(0, RESULT_HEAD_BYTES)), true);
    assert.equal(isResultPng(result.subarray(0, RESULT_HEAD_BYTES - 1)), false);
    assert.equal(isResultPng(await encodePng(pixels)), false);
  }
  assert.equal(isResultPng(new Uint8Array()), false);
});
