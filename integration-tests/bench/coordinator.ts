/** @file A coordinator with a job of a million tiles: its memory, and what a tile costs it, against a tenth as many. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Benchmark, Timing } from "./measure.ts";

const CHILD = fileURLToPath(new URL("./coordinator.child.js", import.meta.url));
const [FEW, MANY] = ["a tenth of the tiles", "all tiles"];

/** What a job took its coordinator. Memory is the most that was resident. */
export interface CoordinatorCost {
  readonly tiles: number;
  readonly messages: number;
  readonly submitSeconds: number;
  readonly eventSeconds: number;
  readonly endSeconds: number;
  readonly planBytes: number;
  readonly planObjects: number;
  readonly baselineBytes: number;
  readonly peakBytes: number;
}

export const coordinator: Benchmark = {
  name: "coordinator",
  unit: "tile",
  onlyByName: true,
  ratios: [
    { name: "tiles/s, 10 times the tiles", of: MANY, to: FEW, by: "rate" },
    { name: "peak memory, 10 times the tiles", of: MANY, to: FEW, by: "peak" },
  ],
  open: async ({ small }) => {
    const most = small ? 100_000 : 1_000_000;
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = {};
        // A process of its own has nothing to warm up.
        for (const [work, tiles] of n === 0
          ? []
          : ([
              [FEW, most / 10],
              [MANY, most],
            ] as const)) {
          const cost = await coordinateInChild(tiles);
          const { submitSeconds, eventSeconds, endSeconds, peakBytes } = cost;
          process.stderr.write(`coordinator: ${JSON.stringify(cost)}\n`);
          timings[work] = { amount: cost.tiles, seconds: submitSeconds + eventSeconds + endSeconds, peakBytes };
          timings[`${work}, submit`] = { amount: cost.tiles, seconds: submitSeconds };
          timings[`${work}, events`] = { amount: cost.tiles, seconds: eventSeconds };
        }
        return timings;
      },
      close: async () => undefined,
    };
  },
};

async function coordinateInChild(tiles: number): Promise<CoordinatorCost> {
  const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
  try {
    const child = spawn(process.execPath, [CHILD, folder, String(tiles)], { stdio: ["ignore", "pipe", "inherit"] });
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
    if (code !== 0) throw new Error(`The process that coordinates ended with code ${code}`);
    return JSON.parse(output) as CoordinatorCost; // of our own child
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
