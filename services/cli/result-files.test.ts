import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { checkResultsFit, removeOtherResults } from "./result-files.ts";

async function folderWith(t: TestContext, ...names: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-results-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, "sub"));
  for (const name of names) await writeFile(join(folder, name), "");
  return folder;
}

const resultsOf = (stem: string): string[] => ["level", "mask", "prob"].map((kind) => `${stem}_${kind}.png`);

test("an annotation with a result's name is refused; results of before are not, nor other images' annotations", async (t) => {
  const folder = await folderWith(t, "p1_3_original.png", "p1_3_mask.png", ...resultsOf("p1_4"));
  const refusal = { reason: "RESULT_TAKEN", message: /"p1_3_mask\.png" lies there .* give another --out$/ };
  await assert.rejects(checkResultsFit(folder, ["p1_4", "p1_3"]), refusal);
  await checkResultsFit(folder, ["p1_4", "p1_5"]);
  await checkResultsFit(join(folder, "none"), ["p1_3"]);
});

test("results of other images are removed, annotations and what lies deeper are not", async (t) => {
  const sub = join("sub", "q_mask.png");
  const folder = await folderWith(t, "q8_mask.png", sub, ...resultsOf("old"), "half_prob.png", ...resultsOf("new"));
  await removeOtherResults(folder, new Set(["new"]));
  const left = (await readdir(folder, { recursive: true })).sort();
  assert.deepEqual(left, [...resultsOf("new"), "q8_mask.png", "sub", sub].sort());
});
