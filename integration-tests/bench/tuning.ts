/** @file Tuning as a run does it, on ten validation images of 512 x 512 pixels: METHOD.md 6 allows it three minutes. */
import { availableParallelism } from "node:os";
import { DEFAULT_CLEANING } from "../../services/lib/method/cleaning.ts";
import type { RgbImage } from "../../services/lib/method/image.ts";
import { reduceImage } from "../../services/lib/method/levels.ts";
import { findNuclei } from "../../services/lib/method/nuclei.ts";
import { tuneThresholds } from "../../services/lib/method/thresholds.ts";
import { openScorers, sharedFloats, sharedNuclei } from "../../services/tuning/scorers.ts";
import { EFFORT } from "../../services/tuning/tune.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, timed } from "./measure.ts";

const SIDE_PX = 512;
const IMAGES = 10;
const REDUCTIONS = [1, 2, 4, 10];

export const tuning: Benchmark = {
  name: "tuning",
  unit: "image",
  ratios: [{ name: "tuning / three minutes", of: "tuning", to: "three minutes", by: "seconds" }],
  onlyByName: true,
  open: async () => {
    const images = Array.from({ length: IMAGES }, (_, i) => validationImage(i + 1));
    const settings = { reductions: REDUCTIONS, annotation: "complete", ...DEFAULT_CLEANING, withoutUpper: [] } as const;
    return {
      round: async () => ({
        tuning: await timed(IMAGES, async () => {
          const scorers = openScorers({ images, settings }, availableParallelism());
          await tuneThresholds(images, { ...settings, ...EFFORT, seed: String(EFFORT.seed) }, scorers);
          await scorers.stop();
        }),
        "three minutes": { amount: IMAGES, seconds: 180 },
      }),
      close: async () => undefined,
    };
  },
};

/** Maps that know the nuclei about as well as darkness tells them, less at coarser levels, with the same noise in every run. */
function validationImage(seed: number) {
  const { image, labels } = makeTissue({ width: SIDE_PX, height: SIDE_PX, seed });
  const nuclei = sharedNuclei(findNuclei(labels, SIDE_PX, SIDE_PX, "labels"));
  const maps = REDUCTIONS.map((reduction) => mapOf(reduction === 1 ? image : reduceImage(image, reduction)));
  return { width: SIDE_PX, height: SIDE_PX, nuclei, maps: maps.map(sharedFloats) };
}

function mapOf({ width, height, data }: RgbImage): Float32Array {
  const pixels = width * height;
  const map = new Float32Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    const nucleus = 1 / (1 + Math.exp((data[3 * i]! - 120) / 25));
    const mixed = 0.5 * nucleus * (1 - nucleus);
    map[i] = 1 - nucleus - mixed;
    map[pixels + i] = mixed;
    map[2 * pixels + i] = nucleus;
  }
  return map;
}
