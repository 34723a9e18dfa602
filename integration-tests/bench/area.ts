/**
 * @file What the cascade costs on images of 1, 4, 16 and 64 Mpixel, from Submit to its result, decoding and encoding included, in seconds of
 * CPU: a line. Each is the same tissue (`--image`, or synthetic), mirrored on and on.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark, Timing } from "./measure.ts";
import { baseImage, openSegmenting, resized, writeVariant } from "./trained.ts";

const SIDES_PX = [1_000, 2_000, 4_000, 8_000];
const nameOf = (side: number): string => `${(side / 1_000) ** 2} Mpixel`;

export const area: Benchmark = {
  name: "area",
  unit: "kpixel",
  onlyByName: true,
  ratios: SIDES_PX.map((side) => ({
    name: `CPU seconds a pixel, ${nameOf(side)} / 4 Mpixel`,
    of: nameOf(2_000),
    to: nameOf(side),
    by: "rate" as const,
  })),
  open: async (options) => {
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const { services, cascade, segment } = await openSegmenting(options, folder);
    const base = await baseImage(options);
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = {};
        for (const side of SIDES_PX) {
          const path = join(folder, "image.png");
          await writeVariant(resized(base, side, side), path, n);
          timings[nameOf(side)] = (await segment(path, cascade)).timing;
        }
        const line = fitLine(Object.values(timings));
        process.stderr.write(
          `area: ${line.intercept.toFixed(2)} s + ${line.slope.toFixed(3)} s a Mpixel; furthest from it ${(100 * line.furthest).toFixed(1)} %\n`,
        );
        return timings;
      },
      close: async () => {
        await services.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

/** The line through all timings with the least relative errors (least squares), and the largest of these. */
function fitLine(timings: readonly Timing[]) {
  // Divided by its own seconds each timing asks for intercept * u + slope * v = 1.
  const rows = timings.map(({ amount, seconds }) => ({ u: 1 / seconds, v: amount / 1_000 / seconds }));
  const sum = (of: (row: { readonly u: number; readonly v: number }) => number): number =>
    rows.reduce((total, row) => total + of(row), 0);
  const [uu, uv, vv] = [sum(({ u }) => u * u), sum(({ u, v }) => u * v), sum(({ v }) => v * v)];
  const [u1, v1] = [sum(({ u }) => u), sum(({ v }) => v)];
  const determinant = uu * vv - uv * uv;
  const intercept = (u1 * vv - v1 * uv) / determinant;
  const slope = (uu * v1 - uv * u1) / determinant;
  const furthest = Math.max(...rows.map(({ u, v }) => Math.abs(intercept * u + slope * v - 1)));
  return { intercept, slope, furthest };
}
