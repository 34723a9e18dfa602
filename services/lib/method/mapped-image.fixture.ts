/** @file For tests: images with round nuclei and probability maps as networks give them, right up to noise and blur. */
import type { ValidationImage } from "./evaluator.ts";
import { levelSize } from "./levels.ts";
import { findNuclei } from "./nuclei.ts";
import { createRandom } from "./random.ts";
import { reduceMask } from "./reduced-mask.fixture.ts";

/** Returns a validation image of width x height level-1 pixels with maps at every reduction; a function of the seed. */
export const makeMappedImage = (
  width: number,
  height: number,
  reductions: readonly number[],
  seed: number,
): ValidationImage => {
  const random = createRandom("mapped image", seed);
  const labels = new Uint16Array(width * height);
  const nuclei = Math.ceil((width * height) / 2500);
  for (let label = 1; label <= nuclei; label++) {
    const cx = random.int(width);
    const cy = random.int(height);
    const radius = 5 + random.int(6);
    for (let y = Math.max(0, cy - radius); y <= Math.min(height - 1, cy + radius); y++) {
      for (let x = Math.max(0, cx - radius); x <= Math.min(width - 1, cx + radius); x++) {
        if ((x - cx) ** 2 + (y - cy) ** 2 <= radius ** 2) labels[y * width + x] = label;
      }
    }
  }
  const mask = Uint8Array.from(labels, (label) => (label > 0 ? 1 : 0));
  const maps = reductions.map((n) => {
    const pixels = levelSize(width, n) * levelSize(height, n);
    const covered = reduceMask(mask, width, height, n);
    const map = new Float32Array(3 * pixels);
    for (let i = 0; i < pixels; i++) {
      const f = covered[i]!;
      const logits = [
        3 * (1 - f) + 1.2 * random.normal(),
        (n === 1 ? -6 : f > 0 && f <= 0.99 ? 3 : 0) + random.normal(),
        3 * f + 1.2 * random.normal(),
      ];
      const powers = logits.map(Math.exp);
      const total = powers.reduce((a, b) => a + b);
      for (let c = 0; c < 3; c++) map[c * pixels + i] = powers[c]! / total;
    }
    return map;
  });
  return { width, height, maps, nuclei: findNuclei(labels, width, height, "labels") };
};
