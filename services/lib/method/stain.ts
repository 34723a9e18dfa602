/**
 * @file Stain jitter: training patches as another laboratory might have stained them. Light absorbed is linear in the amount of stain
 * (Beer-Lambert), so haematoxylin, eosin and what is left are separated in optical density (Ruifrok and Johnston, Anal. Quant. Cytol.
 * Histol. 2001), scaled and shifted at random, and put together again (Tellez et al., IEEE TMI 2018, section II-C).
 */
import { intensityOf, opticalDensity } from "./normalisation.ts";
import { PATCH_SIZE_PX } from "./patches.ts";
import type { Random } from "./random.ts";

/** Optical densities of the stains, a row each (haematoxylin, eosin, residual: DAB's place), columns red, green, blue. */
export const STAINS = [
  [0.65, 0.7, 0.29],
  [0.07, 0.99, 0.11],
  [0.27, 0.57, 0.78],
] as const;

const PLANE = PATCH_SIZE_PX * PATCH_SIZE_PX;
const DENSITY = Float64Array.from({ length: 256 }, (_, intensity) => opticalDensity(intensity));
/** Steps of optical density in the table back to intensities: at most a quarter of a grey level each. */
const STEPS_PER_DENSITY = 1024;
/** Densities from -64 to 64: the widest jitter makes 22 of a pixel at most, so that whoever looks one up need not ask whether it is there. */
const INTENSITY_AT_ZERO = 64 * STEPS_PER_DENSITY;
const INTENSITY = new Uint8Array(2 * INTENSITY_AT_ZERO).fill(255, 0, INTENSITY_AT_ZERO);
/** Beyond this all is black. */
const BLACK_DENSITY = 8;
for (let i = 0; i < BLACK_DENSITY * STEPS_PER_DENSITY; i++)
  INTENSITY[INTENSITY_AT_ZERO + i] = Math.round(intensityOf(i / STEPS_PER_DENSITY));
const LAST_INTENSITY = INTENSITY.length - 1;

type Matrix = readonly (readonly [number, number, number])[];

/** The inverse of a 3x3 matrix, by Cramer's rule. */
function inverse([[a, b, c], [d, e, f], [g, h, i]]: typeof STAINS): Matrix {
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const adjugate: Matrix = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
  return adjugate.map(([x, y, z]) => [x / determinant, y / determinant, z / determinant]);
}

/** Rows red, green, blue; columns how much of each stain a density of that colour adds. */
export const UNMIXING = inverse(STAINS);

/** One way to stain: `scales` and `shifts` of haematoxylin, eosin and the residual, and by what light to look at it. */
export interface Staining {
  readonly scales: readonly number[];
  readonly shifts: readonly number[];
  /** What the lamp adds to the densities of red, green and blue. */
  readonly lamp: readonly number[];
}

/** Shifts are drawn this much narrower than scales: a shift stains the glass too. */
const SHIFT_SHARE = 0.2;

/** Lamps are drawn within this share of `jitter`: about what normalisation leaves of one (`WHITE_DOUBT`), twice over. */
const LAMP_SHARE = 0.25;

/** Draws a staining: scales within exp(±`jitter`), even on the logarithm, shifts of density within ±`jitter`/5, of the lamp ±`jitter`/4. */
export function drawStaining(random: Random, jitter: number): Staining {
  const within = (limit: number): number => limit * (2 * random.next() - 1);
  return {
    scales: STAINS.map(() => Math.exp(within(jitter))),
    shifts: STAINS.map(() => within(SHIFT_SHARE * jitter)),
    lamp: [0, 1, 2].map(() => within(LAMP_SHARE * jitter)),
  };
}

/** Restains the patch (planar RGB, 3 x 32 x 32) that begins at `offset` of `data`, in place. */
export function restain(data: Uint8Array, offset: number, { scales, shifts, lamp }: Staining): void {
  // density' = (density * UNMIXING) scaled and shifted per stain, * STAINS, + lamp: one matrix and one vector
  const coefficient = (from: number, to: number): number =>
    STEPS_PER_DENSITY * STAINS.reduce((sum, stain, s) => sum + UNMIXING[from]![s]! * scales[s]! * stain[to]!, 0);
  const constant = (to: number): number =>
    STEPS_PER_DENSITY * STAINS.reduce((sum, stain, s) => sum + shifts[s]! * stain[to]!, lamp[to]!) +
    0.5 +
    INTENSITY_AT_ZERO;
  const [rr, rg, rb] = [coefficient(0, 0), coefficient(0, 1), coefficient(0, 2)];
  const [gr, gg, gb] = [coefficient(1, 0), coefficient(1, 1), coefficient(1, 2)];
  const [br, bg, bb] = [coefficient(2, 0), coefficient(2, 1), coefficient(2, 2)];
  const [r0, g0, b0] = [constant(0), constant(1), constant(2)];
  for (let red = offset, end = offset + PLANE; red < end; red++) {
    const green = red + PLANE;
    const blue = green + PLANE;
    const r = DENSITY[data[red]!]!;
    const g = DENSITY[data[green]!]!;
    const b = DENSITY[data[blue]!]!;
    data[red] = INTENSITY[(r0 + r * rr + g * gr + b * br) & LAST_INTENSITY]!;
    data[green] = INTENSITY[(g0 + r * rg + g * gg + b * bg) & LAST_INTENSITY]!;
    data[blue] = INTENSITY[(b0 + r * rb + g * gb + b * bb) & LAST_INTENSITY]!;
  }
}
