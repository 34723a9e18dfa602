/** @file The most memory that `radhical segment` needs for an image of 10,000 x 10,000 pixels, and for one a quarter of it, each in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Benchmark, Timing } from "./measure.ts";
import { baseImage, modelsFolder, resized, writeVariant } from "./trained.ts";

const SIDES_PX = [5_000, 10_000];
const CHILD = fileURLToPath(new URL("./segment.child.js", import.meta.url));
const Peak = z.object({ peakBytes: z.number(), seconds: z.number() });
const nameOf = (side: number): string => `${side} x ${side}`;

export const memory: Benchmark = {
  name: "memory",
  unit: "kpixel",
  onlyByName: true,
  ratios: [{ name: "peak memory, 4 times the pixels", of: nameOf(10_000), to: nameOf(5_000), by: "peak" }],
  open: async (options) => {
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const models = await modelsFolder(options, folder);
    const base = await baseImage(options);
    for (const side of SIDES_PX) await writeVariant(resized(base, side, side), join(folder, `${side}.png`), 0);
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = {};
        // A process of its own has nothing to warm up.
        for (const side of n === 0 ? [] : SIDES_PX) {
          const out = join(folder, "out");
          const child = spawn(process.execPath, [CHILD, models, join(folder, `${side}.png`), out], {
            stdio: ["ignore", "pipe", "inherit"],
          });
          const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
          if (code !== 0) throw new Error(`The process that segments ended with code ${code}`);
          const { peakBytes, seconds } = Peak.parse(JSON.parse(output));
          timings[nameOf(side)] = { amount: side ** 2 / 1_000, seconds, peakBytes };
          await rm(out, { recursive: true, force: true });
        }
        return timings;
      },
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
