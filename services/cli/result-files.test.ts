import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { encodeResultPng } from "../lib/images/result-png.ts";
import { checkResultsFit, isResult, removeOtherResults } from "./result-files.ts";

const ONE_PIXEL = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) } as const;

/** Returns a folder with results of ours under these names, and empty files of somebody's under the others. */
async function folderWith(t: TestContext, ours: readonly string[], theirs: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-results-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "sub"));
  for (const name of ours) await writeFile(join(folder, name), await encodeResultPng(ONE_PIXEL));
  for (const name of theirs) await writeFile(join(folder, name), "");
  return folder;
}

const resultsOf = (stem: string): string[] => ["level", "mask", "prob"].map((kind) => `${stem}_${kind}.png`);

test("what has a result's name and is none is refused; results of before are not, nor other images' files", async (t) => {
  for (const name of ["p1_3_mask.png", "p1_3_level.png", "p1_3_prob.png"]) {
    const folder = await folderWith(t, resultsOf("p1_4"), ["p1_3_original.png", ...resultsOf("p1_5"), name]);
    const message = new RegExp(`"${name}" lies there, .* give another --out$`);
    await assert.rejects(checkResultsFit(folder, new Set(["p1_4", "p1_3"])), { reason: "RESULT_TAKEN", message });
    await checkResultsFit(folder, new Set(["p1_4", "p1_6"]));
    await checkResultsFit(join(folder, "none"), new Set(["p1_3"]));
  }
});

test("results of other images are removed; what is none of ours is not, whatever its name, nor what lies deeper", async (t) => {
  const deeper = join("sub", "q_mask.png");
  const ours = [...resultsOf("old"), "half_prob.png", ...resultsOf("new"), deeper];
  const theirs = ["sea_level.png", "q8_mask.png", ...resultsOf("q9")];
  const folder = await folderWith(t, ours, theirs);
  await removeOtherResults(folder, new Set(["new"]));
  const left = (await readdir(folder, { recursive: true })).sort();
  assert.deepEqual(left, [...resultsOf("new"), ...theirs, "sub", deeper].sort());
});

test("a folder, a short file and no file are no results", async (t) => {
  const folder = await folderWith(t, ["ours.png"], ["empty.png"]);
  const paths = ["ours.png", "empty.png", "sub", "none.png"].map((name) => isResult(join(folder, name)));
  assert.deepEqual(await Promise.all(paths), [true, false, false, false]);
});
