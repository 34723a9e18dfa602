import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { describeImage, describeMask } from "../services/lib/images/describe-image.ts";
import { decodeMask } from "../services/lib/images/mask.ts";
import { makeTissue, type Tissue, writeTissueCohort } from "./synthetic-tissue.ts";

const OPTIONS = { width: 200, height: 160, seed: 7 };
const LIMITS = { maxPixels: 1_000_000 };

/** Returns the best pixel Dice that any threshold of red, in which nuclei are dark, reaches. */
const bestDiceByColour = ({ image, labels }: Tissue): number => {
  const inside = new Uint32Array(256);
  const outside = new Uint32Array(256);
  for (const [i, label] of labels.entries()) (label > 0 ? inside : outside)[image.data[3 * i]!]!++;
  const nuclei = inside.reduce((sum, count) => sum + count, 0);
  let [hits, falseHits, best] = [0, 0, 0];
  for (let red = 0; red < 256; red++) {
    hits += inside[red]!;
    falseHits += outside[red]!;
    best = Math.max(best, (2 * hits) / (nuclei + hits + falseHits));
  }
  return best;
};

test("the same seed gives the same tissue, another seed or patient another", () => {
  const tissue = makeTissue(OPTIONS);
  assert.deepEqual(makeTissue(OPTIONS), tissue);
  assert.notDeepEqual(makeTissue({ ...OPTIONS, seed: 8 }).labels, tissue.labels);
  assert.notDeepEqual(makeTissue({ ...OPTIONS, patient: 1 }).image, tissue.image);
});

test("labels are nuclei of the promised size that cover the promised area, and some touch", () => {
  const { labels } = makeTissue({ width: 400, height: 300, seed: 3, nuclei: 0.2 });
  const areas = new Map<number, number>();
  let touching = 0;
  for (const [i, label] of labels.entries()) {
    if (label === 0) continue;
    areas.set(label, (areas.get(label) ?? 0) + 1);
    const right = i % 400 < 399 ? labels[i + 1]! : 0;
    if (right > 0 && right !== label) touching++;
  }
  const covered = [...areas.values()].reduce((sum, area) => sum + area, 0) / labels.length;
  assert.ok(covered >= 0.2 && covered < 0.21, `covers ${covered}`);
  assert.deepEqual(
    [...areas.keys()].toSorted((a, b) => a - b),
    [...areas.keys()].map((_, i) => i + 1),
  );
  for (const area of areas.values()) assert.ok(area >= 40 && area <= Math.PI * 14 ** 2 + 30, `${area} pixels`);
  assert.ok(touching > 20, `${touching} pixels touch`);
});

test("colour finds most of the nuclei, but not well", () => {
  for (const seed of [1, 2, 3]) {
    const dice = bestDiceByColour(makeTissue({ width: 400, height: 400, seed, patient: seed }));
    assert.ok(dice > 0.6 && dice < 0.9, `Dice ${dice}`);
  }
});

test("writes a cohort whose files are accepted and whose masks are the labels", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "radhical-tissue-"));
  t.after(() => rm(folder, { recursive: true }));
  const cohort = { patients: 2, imagesPerPatient: 2, size: 96, seed: 1 };
  const stems = await writeTissueCohort(join(folder, "labels"), cohort);
  assert.deepEqual(stems, ["p01_1", "p01_2", "p02_1", "p02_2"]);
  await writeTissueCohort(join(folder, "binary"), { ...cohort, masks: "binary" });
  const read = (...path: string[]) => readFile(join(folder, ...path));
  for (const stem of stems) {
    const header = await describeImage(await read("labels", "images", `${stem}.png`), LIMITS);
    assert.deepEqual([header.width, header.height, header.channels], [96, 96, 3]);
    const mask = await read("labels", "masks", `${stem}.png`);
    assert.equal((await describeMask(mask, LIMITS)).bits, 16);
    const { labels, kind } = await decodeMask(mask, "auto");
    assert.equal(kind, "labels");
    const binary = await decodeMask(await read("binary", "masks", `${stem}.png`), "auto");
    assert.equal(binary.kind, "binary");
    assert.deepEqual(
      binary.labels,
      labels.map((label) => Math.min(label, 1)),
    );
  }
  assert.deepEqual(
    (await readdir(join(folder, "labels", "images"))).toSorted(),
    stems.map((stem) => `${stem}.png`),
  );
});
