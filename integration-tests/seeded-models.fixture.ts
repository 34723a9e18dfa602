/** @file A models folder as `radhical run` writes it, of three models that were never trained. */
import { join } from "node:path";
import type { ThresholdsFile } from "../services/cli/model-folder.ts";
import { writeWhole } from "../services/cli/transfer.ts";
import { sha256, shortId } from "../services/lib/service/content-id.ts";
import { seededModel } from "./seeded-models.ts";

const REDUCTIONS = [1, 2, 4];
/** By these every level accepts some pixels of synthetic tissue, rejects some, and leaves some to the next. */
const POINT = { lower: [null, 0.3, 0.5], upper: [null, 0.3, 0.5], final: [0.5, 0.5, 0.5] };

/** Writes the models folder and returns its path. */
export async function writeSeededModels(folder: string): Promise<string> {
  const levels = REDUCTIONS.map((reduction, i) => seededModel(i + 1, reduction, 1));
  for (const [i, { onnx, manifest }] of levels.entries()) {
    await writeWhole(join(folder, "fold-1", `level-${i + 1}.onnx`), onnx);
    await writeWhole(join(folder, "fold-1", `level-${i + 1}.json`), manifest);
  }
  const thresholds: ThresholdsFile = {
    models: levels.map(({ onnx }) => shortId(sha256(onnx))),
    endingAt: levels.map(() => POINT),
    dense: POINT,
    maxHolePx: 0,
    openingPx: 0,
    neckPx: 0,
    minNucleusPx: 0,
  };
  await writeWhole(join(folder, "fold-1", "thresholds.json"), JSON.stringify(thresholds));
  return folder;
}
