/**
 * @file Lists and databases of one fold at full size, each in a process of its own: its memory must not grow with the patches. Needs 6 GB
 * of disk in the system's folder for temporary files.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildInChild, storePatches } from "../../services/datasets/stored-patches.fixture.ts";
import { RECORD_BYTES } from "../../services/lib/patches/records.ts";
import type { Benchmark, Timing } from "./measure.ts";

/** METHOD.md 1's at level 1: 500 positive, 500 edge, 150 background. */
const CENTRES_PER_IMAGE = 1_150;
/** Images whose train databases hold so many patches, but for one in three hundred. */
const SIZES = [
  { work: "30,000 patches", images: 20 },
  { work: "300,000 patches", images: 150 },
] as const;

export const database: Benchmark = {
  name: "database",
  unit: "MB",
  onlyByName: true,
  ratios: [{ name: "peak memory, 10 times the patches", of: SIZES[1].work, to: SIZES[0].work, by: "peak" }],
  open: async () => {
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const stored: { work: string; store: string; patchSetId: string }[] = [];
    for (const { work, images } of SIZES) {
      const store = join(folder, String(images));
      stored.push({
        work,
        store,
        patchSetId: await storePatches(store, { images, centresPerImage: CENTRES_PER_IMAGE }),
      });
    }
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = {};
        // A process of its own has nothing to warm up.
        for (const { work, store, patchSetId } of n === 0 ? [] : stored) {
          const { trainPatches, testPatches, seconds, peakBytes } = await buildInChild(store, patchSetId);
          timings[work] = { amount: ((trainPatches + testPatches) * RECORD_BYTES) / 1e6, seconds, peakBytes };
        }
        return timings;
      },
      close: () => rm(folder, { recursive: true, force: true }),
    };
  },
};
