import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DEFAULT_CLEANING } from "../lib/method/cleaning.ts";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import type { LevelThresholds, TradeoffPoint } from "../lib/proto/radhical/v1/tuning.ts";
import { sha256, shortId } from "../lib/service/content-id.ts";
import {
  levelThresholds,
  readModelFolder,
  saveThresholds,
  storedThresholds,
  type ThresholdsFile,
} from "./model-folder.ts";
import { writeWhole } from "./transfer.ts";

const LEVELS: readonly LevelThresholds[] = [
  { level: 1, lower: 0.5, upper: undefined, final: 0.5 },
  { level: 2, lower: 0, upper: 0.9, final: 0.25 },
];
const point = (endsAt: number, levels: readonly LevelThresholds[]): TradeoffPoint => ({
  endsAt,
  computeFraction: 0.2,
  score: 0.7,
  f: 0.6,
  levels: [...levels],
});
const TUNING = {
  chosen: [point(1, LEVELS), point(2, LEVELS.slice(1))],
  dense: point(1, LEVELS.slice(0, 1)),
  greedy: [],
  tradeoff: [],
};

const networkOf = (fold: number, level: number): string => `network ${fold} ${level}`;

const modelsOfFold = (fold: number, levels: readonly number[]): Model[] =>
  levels.map((level) =>
    Model.fromPartial({ fold, level, modelId: shortId(sha256(Buffer.from(networkOf(fold, level)))) }),
  );

/** Returns a models folder with these folds of two levels, as `radhical run` writes it. */
async function modelsOf(t: TestContext, folds: readonly number[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-models-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const fold of folds) {
    for (const level of [1, 2]) {
      await writeWhole(join(folder, `fold-${fold}`, `level-${level}.onnx`), networkOf(fold, level));
      await writeWhole(join(folder, `fold-${fold}`, `level-${level}.json`), `{"level":${level}}`);
    }
    await saveThresholds(folder, fold, TUNING, modelsOfFold(fold, [1, 2]), DEFAULT_CLEANING);
  }
  return folder;
}

test("thresholds are lists by level, null where there is none, and come back the same", () => {
  const stored = storedThresholds(LEVELS, 3);
  assert.deepEqual(stored, { lower: [0.5, 0, null], upper: [null, 0.9, null], final: [0.5, 0.25, null] });
  assert.deepEqual(levelThresholds(stored).slice(0, 2), LEVELS);
});

test("what a run saved is read back, for every level that a cascade can end at", async (t) => {
  const folder = await modelsOf(t, [1]);
  const { fold, otherFolds, levels, thresholds } = await readModelFolder(folder);
  assert.equal(fold, "fold-1");
  assert.deepEqual(otherFolds, []);
  assert.deepEqual(
    levels.map(({ onnx, manifest }) => [Buffer.from(onnx).toString(), manifest]),
    [
      ["network 1 1", '{"level":1}'],
      ["network 1 2", '{"level":2}'],
    ],
  );
  assert.deepEqual(thresholds, {
    models: modelsOfFold(1, [1, 2]).map(({ modelId }) => modelId),
    endingAt: [storedThresholds(LEVELS, 2), storedThresholds(LEVELS.slice(1), 2)],
    dense: storedThresholds(LEVELS.slice(0, 1), 2),
    ...DEFAULT_CLEANING,
  });
});

test("of several folds the first by number is used and the others are named", async (t) => {
  const { fold, otherFolds, levels } = await readModelFolder(await modelsOf(t, [10, 2, 3]));
  assert.equal(fold, "fold-2");
  assert.deepEqual(otherFolds, ["fold-3", "fold-10"]);
  assert.equal(Buffer.from(levels[0]?.onnx ?? []).toString(), "network 2 1");
});

test("one fold's own folder can be given", async (t) => {
  const folder = join(await modelsOf(t, [1, 2]), "fold-2");
  const { otherFolds, levels } = await readModelFolder(folder);
  assert.deepEqual(otherFolds, []);
  assert.equal(Buffer.from(levels[1]?.onnx ?? []).toString(), "network 2 2");
});

test("a folder without models, or none at all, says what to give", async (t) => {
  const empty = await modelsOf(t, []);
  await assert.rejects(readModelFolder(empty), { reason: "MODELS_MISSING", message: /give the "models" folder/ });
  await assert.rejects(readModelFolder(join(empty, "x")), { reason: "MODELS_MISSING", message: /is not a folder/ });
});

test("models of a run that did not come to its end say so", async (t) => {
  const folder = await modelsOf(t, [1]);
  await rm(join(folder, "fold-1", "thresholds.json"));
  await assert.rejects(readModelFolder(folder), { reason: "THRESHOLDS_INVALID", message: /run it to its end/ });
});

test("a manifest that is missing is named", async (t) => {
  const folder = await modelsOf(t, [1]);
  await rm(join(folder, "fold-1", "level-2.json"));
  await assert.rejects(readModelFolder(folder), { reason: "FILE_UNREADABLE", message: /level-2\.json"/ });
});

test("thresholds of a run that cut off and dropped nothing go on so", async (t) => {
  const folder = await modelsOf(t, [1]);
  const path = join(folder, "fold-1", "thresholds.json");
  const { openingPx: _, neckPx: __, minNucleusPx: ___, ...older } = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify(older));
  const { openingPx, neckPx, minNucleusPx } = (await readModelFolder(folder)).thresholds;
  assert.deepEqual([openingPx, neckPx, minNucleusPx], [0, 0, 0]);
});

test("thresholds for another number of levels, or that are none, are refused with their file's name", async (t) => {
  const folder = await modelsOf(t, [1]);
  const path = join(folder, "fold-1", "thresholds.json");
  const good = await readFile(path, "utf8");
  const refuses = async (content: string, message: RegExp): Promise<void> => {
    await writeFile(path, content);
    await assert.rejects(readModelFolder(folder), (error: Error) => {
      assert.match(error.message, /^Cannot use ".*thresholds\.json": /);
      assert.match(error.message, message);
      return true;
    });
  };
  await refuses("{", /it is not JSON/);
  await refuses(good.replace('"maxHolePx": 150', '"maxHolePx": -1'), /maxHolePx/);
  await refuses(good.replace('"minNucleusPx": 60', '"minNucleusPx": 0.5'), /minNucleusPx/);
  await refuses(good.replace('"maxHolePx": 150', '"maxHolePx": 99999999999'), /maxHolePx/);
  const file: ThresholdsFile = JSON.parse(good);
  const edited = (changes: Partial<ThresholdsFile>): string => JSON.stringify({ ...file, ...changes });
  await refuses(edited({ endingAt: [] }), /endingAt/);
  await refuses(edited({ endingAt: file.endingAt.slice(1) }), /endingAt has 1 entries, one for each of 2 levels/);
  await refuses(edited({ dense: { ...file.dense, upper: [null] } }), /dense\.upper has 1 entries/);
  await refuses(edited({ dense: { ...file.dense, lower: [65, null] } }), /is no probability.*dense\.lower\[0\]/s);
  await refuses(edited({ models: [file.models[0]!, "x"] }), /another model than "level-2\.onnx" beside it; copy/);
  await saveThresholds(folder, 1, TUNING, modelsOfFold(1, [1, 2, 3]), DEFAULT_CLEANING);
  await refuses(
    await readFile(path, "utf8"),
    /it is for 3 models, and beside it are level-1\.onnx to level-2\.onnx; copy/,
  );
  await saveThresholds(folder, 1, TUNING, modelsOfFold(2, [1, 2]), DEFAULT_CLEANING);
  await refuses(await readFile(path, "utf8"), /it is for other models than those beside it; run/);
});
