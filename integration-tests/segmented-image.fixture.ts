/** @file An image to segment, and what segmenting it leaves behind. */
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodePng } from "../services/lib/images/encode-png.ts";
import { decidedPixels } from "../services/lib/method/decisions.ts";
import { openFolderStore } from "../services/lib/objects/folder-store.ts";
import { decodeTileState } from "../services/lib/service/tile-state.ts";
import { pngKind, readPixels } from "./result-files.fixture.ts";
import { makeTissue } from "./synthetic-tissue.ts";

/** What the names of an image's results end in. */
export const IMAGE_OUTPUTS = ["_prob.png", "_mask.png", "_level.png"];

/** Writes a synthetic image and returns its path. */
export async function writeTissueImage(folder: string, name: string, width: number, height: number): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.png`);
  const { image } = makeTissue({ width, height, seed: width * 10_000 + height });
  await writeFile(path, await encodePng({ ...image, channels: 3 }));
  return path;
}

/** Checks that the three PNGs of an image are there, of its size, and that each holds only what it may. */
export async function checkImageOutputs(
  folder: string,
  stem: string,
  width: number,
  height: number,
  levels: readonly number[],
): Promise<void> {
  const [probability, mask, level] = await Promise.all(
    IMAGE_OUTPUTS.map((suffix) => readPixels(join(folder, `${stem}${suffix}`))),
  );
  const kinds = await Promise.all(IMAGE_OUTPUTS.map((suffix) => pngKind(join(folder, `${stem}${suffix}`))));
  assert.deepEqual(
    kinds,
    [3, 1, 1].map((channels) => ({ bits: 8, channels })),
    stem,
  );
  for (const image of [probability, mask, level]) {
    assert.deepEqual([image?.width, image?.height], [width, height], stem);
  }
  for (let i = 0; i < 3 * width * height; i += 3) {
    const [none = 0, nucleus = 0, blue] = probability?.data.subarray(i, i + 3) ?? [];
    if (Math.abs(none + nucleus - 255) > 1 || blue !== 0) assert.fail(`${stem}: ${none} + ${nucleus}, blue ${blue}`);
  }
  const values = (plane: { readonly data: Uint8Array } | undefined): number[] => [...new Set(plane?.data)];
  assert.deepEqual(
    values(mask).filter((value) => value !== 0 && value !== 255),
    [],
    stem,
  );
  assert.deepEqual(
    values(level).filter((value) => !levels.includes(value)),
    [],
    stem,
  );
}

/** Returns the decided pixels of the one tile that was segmented into a folder: before holes are filled, P2 of 255. */
export async function readOnlyTile(out: string): Promise<{ readonly positive: Uint8Array; readonly p2: Uint8Array }> {
  const store = await openFolderStore(join(out, ".radhical"));
  try {
    const keys: string[] = [];
    for await (const { key } of store.list("segmentations/")) if (key.includes("/results/")) keys.push(key);
    assert.equal(keys.length, 1);
    const tile = decodeTileState(await store.get(keys[0] ?? ""));
    const positive: number[] = [];
    const p2: number[] = [];
    decidedPixels(
      tile,
      (_, isAccepted, probability) => 1 + 2 * probability + Number(isAccepted),
      ({ plane }) => {
        for (const number of plane) {
          positive.push((number - 1) & 1);
          p2.push((number - 1) >>> 1);
        }
      },
    );
    return { positive: Uint8Array.from(positive), p2: Uint8Array.from(p2) };
  } finally {
    await store.close();
  }
}
