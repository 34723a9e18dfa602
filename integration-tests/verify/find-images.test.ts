import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { findImages } from "./find-images.ts";

const png = (channels: 1 | 3): Promise<Uint8Array> =>
  encodePng({ width: 4, height: 3, channels, data: new Uint8Array(12 * channels).fill(90) });

test("takes colour images and leaves annotation, grey images and broken files", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-verify-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  };
  for (const name of ["Slide_01/01_1.png", "Slide_02/02_1.png", "a.PNG", "gta_maskless.png"])
    await write(name, await png(3));
  for (const name of ["GT_01/01_1.png", "masks/x.png", "p1_mask.png", "p1-labels.png"]) await write(name, await png(3));
  await write("grey.png", await png(1));
  await write("broken.png", Buffer.from("not an image"));
  await write("notes.txt", Buffer.from("text"));

  const all = await findImages(folder, 9);
  assert.deepEqual(
    all.chosen.map(({ name }) => name),
    ["Slide_01/01_1.png", "Slide_02/02_1.png", "a.PNG", "gta_maskless.png"],
  );
  assert.deepEqual([all.usable, all.others], [4, 6]);
  const two = await findImages(folder, 2);
  assert.deepEqual(
    two.chosen.map(({ name }) => name),
    ["Slide_01/01_1.png", "a.PNG"],
  );
});
