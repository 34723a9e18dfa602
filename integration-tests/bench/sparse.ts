/** @file Selected pixels of a block against the whole block, on nuclei-like selections (METHOD.md 5, Sparse evaluation). */
import { evaluateBlock } from "../../services/inference/evaluate-block.fixture.ts";
import { openNetwork } from "../../services/inference/loaded-network.ts";
import { mirroredRegion } from "../../services/lib/method/mirror.ts";
import { CLASSIFIED_PX, PATCH_SIZE_PX } from "../../services/lib/method/patches.ts";
import { createRandom } from "../../services/lib/method/random.ts";
import { readModel } from "../../services/lib/network/model-contents.ts";
import { openRuntime } from "../../services/lib/runtime/runtime.ts";
import { seededModel } from "../seeded-models.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, type Timing, timed } from "./measure.ts";

const SIDE_PX = 500;
const RECT = { x: 0, y: 0, width: SIDE_PX, height: SIDE_PX };
const SHARES = { "15 %": 0.15, "5 %": 0.05, "1 %": 0.01 } as const;

export const sparse: Benchmark = {
  name: "sparse evaluation",
  unit: "kpixel",
  ratios: Object.keys(SHARES).map((share) => ({ name: `${share} / dense`, of: share, to: "dense", by: "rate" })),
  open: async () => {
    const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
    const network = openNetwork(readModel(seededModel(1, 1, 1).onnx), runtime);
    const { image } = makeTissue({ width: SIDE_PX, height: SIDE_PX, seed: 1 });
    const reach = SIDE_PX + PATCH_SIZE_PX - 1;
    const surrounded = mirroredRegion(image, -CLASSIFIED_PX, -CLASSIFIED_PX, reach, reach);
    const evaluate = (open: Uint8Array | undefined) =>
      timed(SIDE_PX ** 2 / 1000, () => evaluateBlock(network, surrounded.slice(), RECT, { open, isNaive: false }));
    return {
      round: async (n) => {
        const timings: Record<string, Timing> = { dense: await evaluate(undefined) };
        for (const [name, share] of Object.entries(SHARES)) timings[name] = await evaluate(nucleiLike(share, n));
        return timings;
      },
      close: () => runtime.close(),
    };
  },
};

/** Discs of radius 6 to 14 px at random places until so much of the block is selected. */
function nucleiLike(share: number, seed: number): Uint8Array {
  const random = createRandom("selection", seed, String(share));
  const open = new Uint8Array(SIDE_PX ** 2);
  let count = 0;
  while (count < share * open.length) {
    const [x, y, radius] = [SIDE_PX * random.next(), SIDE_PX * random.next(), 6 + 8 * random.next()];
    for (let row = Math.max(0, Math.ceil(y - radius)); row < Math.min(SIDE_PX, y + radius); row++) {
      const half = Math.sqrt(Math.max(0, radius ** 2 - (row - y) ** 2));
      for (let at = Math.max(0, Math.ceil(x - half)); at < Math.min(SIDE_PX, x + half); at++) {
        const pixel = row * SIDE_PX + at;
        count += 1 - open[pixel]!;
        open[pixel] = 1;
      }
    }
  }
  return open;
}
