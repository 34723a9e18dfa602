/** @file DIR/models: `fold-<k>/level-<l>.onnx` and `.json` (its manifest), and `fold-<k>/thresholds.json`. */
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { invalid } from "../lib/errors.ts";
import { type Cleaning, MAX_REACH_PX } from "../lib/method/cleaning.ts";
import type { Model } from "../lib/proto/radhical/v1/training.ts";
import type { GetTuningResponse, LevelThresholds, TradeoffPoint } from "../lib/proto/radhical/v1/tuning.ts";
import { sha256, shortId } from "../lib/service/content-id.ts";
import { sendUpload } from "../lib/service/files.ts";
import { readUserFile } from "./pair-images.ts";
import type { Services } from "./services.ts";
import { receiveFiles, removeOthers, writeWhole } from "./transfer.ts";

const foldFolder = (models: string, fold: number): string => join(models, `fold-${fold}`);

/**
 * Fetches the models of a fold and their manifests. What is there of an earlier training goes first, its thresholds before all: they
 * belong to those models, and a reader must not take them for these.
 */
export async function saveModels(
  services: Services,
  folder: string,
  fold: number,
  models: readonly Model[],
): Promise<void> {
  const home = foldFolder(folder, fold);
  await rm(join(home, "thresholds.json"), { force: true });
  const received: string[] = [];
  for (const { modelId, level } of models) {
    const base = join(home, `level-${level}`);
    received.push(...(await receiveFiles(services.training.fetchModel({ modelId }), () => `${base}.onnx`)));
    const { manifest } = await services.training.describeModel({ modelId });
    await writeWhole(`${base}.json`, manifest);
    received.push(`${base}.json`);
  }
  await removeOthers(home, /^level-\d+\.(onnx|json)$/, received);
}

/** Probabilities and their sums, and what is beyond all of them. */
const Threshold = z.number().min(-1).max(2, { error: "is no probability" }).nullable();
const StoredThresholds = z.object({
  lower: z.array(Threshold),
  upper: z.array(Threshold),
  final: z.array(Threshold),
});
export type StoredThresholds = z.output<typeof StoredThresholds>;

const Pixels = z.int32().min(0);

const ThresholdsFile = z.object({
  /** The models they were tuned with, by level. */
  models: z.array(z.string()).min(1),
  /** For ending at each level, index = level - 1. */
  endingAt: z.array(StoredThresholds).min(1),
  /** Level 1 alone, everywhere. */
  dense: StoredThresholds,
  maxHolePx: Pixels,
  /** Of a run before there was such a thing: nothing is too narrow, joined or too small. */
  openingPx: z.int().min(0).max(MAX_REACH_PX).default(0),
  neckPx: z.int().min(0).max(MAX_REACH_PX).default(0),
  minNucleusPx: Pixels.default(0),
});
export type ThresholdsFile = z.output<typeof ThresholdsFile>;

/** Returns thresholds as files and reports hold them: a list per kind, index = level - 1, null = none. */
export function storedThresholds(levels: readonly LevelThresholds[], count: number): StoredThresholds {
  const pick = (kind: "lower" | "upper" | "final"): (number | null)[] =>
    Array.from({ length: count }, (_, i) => levels.find(({ level }) => level === i + 1)?.[kind] ?? null);
  return { lower: pick("lower"), upper: pick("upper"), final: pick("final") };
}

/** Returns stored thresholds as messages carry them. */
export const levelThresholds = ({ lower, upper, final }: StoredThresholds): LevelThresholds[] =>
  lower.map((value, i) => ({
    level: i + 1,
    lower: value ?? undefined,
    upper: upper[i] ?? undefined,
    final: final[i] ?? undefined,
  }));

/** Writes the thresholds beside the models they belong to. */
export async function saveThresholds(
  folder: string,
  fold: number,
  tuning: GetTuningResponse,
  models: readonly Model[],
  cleaning: Cleaning,
): Promise<void> {
  const stored = (point: TradeoffPoint | undefined): StoredThresholds =>
    storedThresholds(point?.levels ?? [], models.length);
  const file: ThresholdsFile = {
    models: models.map(({ modelId }) => modelId),
    endingAt: tuning.chosen.map(stored),
    dense: stored(tuning.dense),
    ...cleaning,
  };
  await writeWhole(join(foldFolder(folder, fold), "thresholds.json"), `${JSON.stringify(file, undefined, 2)}\n`);
}

/** Models and thresholds as a folder holds them. */
export interface ModelFolder {
  readonly fold: string;
  /** Other folds in the folder, not used. */
  readonly otherFolds: readonly string[];
  readonly levels: readonly { readonly onnx: Uint8Array; readonly manifest: string }[];
  readonly thresholds: ThresholdsFile;
}

/** Reads DIR/models, its first fold, or one fold's folder. Throws MODELS_MISSING, THRESHOLDS_INVALID. */
export async function readModelFolder(folder: string): Promise<ModelFolder> {
  const entries = await readdir(folder).catch((cause: unknown) => {
    throw invalid("MODELS_MISSING", `Cannot read models from "${folder}": it is not a folder that you may read`, cause);
  });
  const folds = entries
    .filter((name) => /^fold-\d+$/.test(name))
    .sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
  const [fold = "."] = folds;
  const home = join(folder, fold);
  const levels: { onnx: Uint8Array; manifest: string }[] = [];
  const exists = (path: string): Promise<boolean> =>
    stat(path).then(
      () => true,
      () => false,
    );
  for (let level = 1; await exists(join(home, `level-${level}.onnx`)); level++) {
    const onnx = await readUserFile(join(home, `level-${level}.onnx`));
    levels.push({ onnx, manifest: Buffer.from(await readUserFile(join(home, `level-${level}.json`))).toString() });
  }
  if (levels.length === 0)
    throw invalid(
      "MODELS_MISSING",
      `Cannot find models in "${home}": give the "models" folder that radhical run wrote`,
    );
  return {
    fold,
    otherFolds: folds.slice(1),
    levels,
    thresholds: await readThresholds(
      join(home, "thresholds.json"),
      levels.map(({ onnx }) => shortId(sha256(onnx))),
    ),
  };
}

async function readThresholds(path: string, models: readonly string[]): Promise<ThresholdsFile> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw invalid(
      "THRESHOLDS_INVALID",
      `Cannot read "${path}": the run that trained these models has not chosen thresholds; run it to its end`,
      cause,
    );
  });
  const parsed = ThresholdsFile.safeParse(parseJson(text, path));
  const why = parsed.success ? whyNotFor(parsed.data, models) : z.prettifyError(parsed.error);
  if (parsed.success && why === undefined) return parsed.data;
  throw invalid("THRESHOLDS_INVALID", `Cannot use "${path}": ${why}`);
}

/** Says why thresholds cannot be used with models, by level; undefined where they can. */
function whyNotFor(file: ThresholdsFile, models: readonly string[]): string | undefined {
  const count = file.models.length;
  if (count !== models.length)
    return `it is for ${count} models, and beside it are level-1.onnx to level-${models.length}.onnx; copy the folder again, whole`;
  const others = models.flatMap((model, i) => (model === file.models[i] ? [] : [`level-${i + 1}.onnx`]));
  if (others.length === count) return "it is for other models than those beside it; run the training run to its end";
  if (others.length > 0)
    return `it is for another model than "${others.join('", "')}" beside it; copy the folder again, whole`;
  if (file.endingAt.length !== count)
    return `endingAt has ${file.endingAt.length} entries, one for each of ${count} levels is needed`;
  for (const [place, lists] of [...file.endingAt.entries(), ["dense", file.dense] as const])
    for (const kind of ["lower", "upper", "final"] as const)
      if (lists[kind].length !== count)
        return `${typeof place === "number" ? `endingAt.${place}` : place}.${kind} has ${lists[kind].length} entries, one for each of ${count} levels is needed`;
  return undefined;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalid("THRESHOLDS_INVALID", `Cannot use "${path}": it is not JSON`, cause);
  }
}

/** Imports the models of a folder. Returns them by level. */
export async function importModels(services: Services, { levels }: Pick<ModelFolder, "levels">): Promise<Model[]> {
  const models: Model[] = [];
  for (const { onnx, manifest } of levels) {
    const { model } = await services.training.importModel(sendUpload(onnx, { manifest }));
    if (model) models.push(model);
  }
  return models;
}
