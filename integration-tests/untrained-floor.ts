/**
 * @file The floor of METHOD.md, "Data at hand": what colour alone finds without any training. Haematoxylin by colour deconvolution
 * (Ruifrok and Johnston, Anal. Quant. Cytol. Histol. 2001), blur of sigma 1.5, Otsu's threshold, holes filled, components under 30 px
 * dropped. A trained model that is not above it on the same images is broken.
 */
import { fillEnclosed } from "../services/lib/method/cleaning.ts";
import { componentsOf, findRuns, keepLarge, planeOf } from "../services/lib/method/components.ts";
import type { RgbImage } from "../services/lib/method/image.ts";

const BLUR_SIGMA = 1.5;
const MIN_OBJECT_PX = 30;
const BINS = 256;

/** First column of the inverse of Ruifrok's stain matrix: what each channel's log says of haematoxylin. */
const HAEMATOXYLIN = invertFirstColumn([
  [0.65, 0.7, 0.29],
  [0.07, 0.99, 0.11],
  [0.27, 0.57, 0.78],
]);

function invertFirstColumn(rows: readonly (readonly number[])[]): readonly [number, number, number] {
  const [[a = 0, b = 0, c = 0] = [], [d = 0, e = 0, f = 0] = [], [g = 0, h = 0, i = 0] = []] = rows;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  return [(e * i - f * h) / determinant, (f * g - d * i) / determinant, (d * h - e * g) / determinant];
}

/** Returns a 0/1 mask of what looks like nuclei. */
export function untrainedMask(image: RgbImage): Uint8Array {
  const { width, height } = image;
  const stain = blur(haematoxylin(image), width, height);
  const threshold = otsu(stain);
  const dark = Uint8Array.from(stain, (value) => (value > threshold ? 1 : 0));
  const filled = fillEnclosed(findRuns(dark, width, height), width);
  return planeOf(keepLarge(componentsOf(filled, width, 8), MIN_OBJECT_PX), dark.length);
}

function haematoxylin({ data, width, height }: RgbImage): Float64Array {
  // Optical density of every byte, relative to the darkest that is told apart, as scikit-image takes it.
  const densities = Float64Array.from(
    { length: 256 },
    (_, value) => Math.log(Math.max(value / 255, 1e-6)) / Math.log(1e-6),
  );
  const [red, green, blue] = HAEMATOXYLIN;
  return Float64Array.from({ length: width * height }, (_, i) => {
    const amount =
      red * densities[data[3 * i]!]! + green * densities[data[3 * i + 1]!]! + blue * densities[data[3 * i + 2]!]!;
    return Math.max(0, amount);
  });
}

function blur(plane: Float64Array, width: number, height: number): Float64Array {
  const radius = Math.round(4 * BLUR_SIGMA);
  const raw = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * BLUR_SIGMA ** 2)));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  const kernel = raw.map((weight) => weight / total);
  const along = (source: Float64Array, count: number, step: number, lines: number, lineStep: number): Float64Array => {
    const target = new Float64Array(source.length);
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < count; i++) {
        let sum = 0;
        for (let k = -radius; k <= radius; k++) {
          const at = Math.min(Math.max(i + k, 0), count - 1);
          sum += kernel[k + radius]! * source[line * lineStep + at * step]!;
        }
        target[line * lineStep + i * step] = sum;
      }
    }
    return target;
  };
  return along(along(plane, width, 1, height, width), height, width, width, 1);
}

/** The threshold that parts the histogram with the greatest variance between its halves (Otsu, IEEE Trans. SMC 1979). */
function otsu(values: Float64Array): number {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const histogram = new Float64Array(BINS);
  const binOf = (value: number): number =>
    Math.min(BINS - 1, Math.floor(((value - least) / (most - least || 1)) * BINS));
  for (const value of values) histogram[binOf(value)]! += 1;
  const centre = (bin: number): number => least + ((bin + 0.5) * (most - least)) / BINS;
  const whole = histogram.reduce((sum, count, bin) => sum + count * centre(bin), 0);
  let below = 0;
  let sumBelow = 0;
  let best = { variance: -1, threshold: least };
  for (let bin = 0; bin < BINS - 1; bin++) {
    below += histogram[bin]!;
    sumBelow += histogram[bin]! * centre(bin);
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const variance = below * above * (sumBelow / below - (whole - sumBelow) / above) ** 2;
    if (variance > best.variance) best = { variance, threshold: centre(bin) };
  }
  return best.threshold;
}
