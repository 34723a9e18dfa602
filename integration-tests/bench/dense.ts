/** @file Dense evaluation against every pixel as its own patch, in the same runtime (METHOD.md 5), and against PyTorch's dilated network. */
import { evaluateDense, evaluatePatches } from "../../services/inference/evaluate-region.ts";
import { openNetwork } from "../../services/inference/loaded-network.ts";
import { mirroredRegion } from "../../services/lib/method/mirror.ts";
import { CLASSIFIED_PX, PATCH_SIZE_PX } from "../../services/lib/method/patches.ts";
import { readModel } from "../../services/lib/network/model-contents.ts";
import { DEFAULT_NETWORK } from "../../services/lib/network/network-description.ts";
import { openRuntime } from "../../services/lib/runtime/runtime.ts";
import { seededModel } from "../seeded-models.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, type Timing, timed } from "./measure.ts";
import { startPytorch } from "./peers/pytorch.ts";

const THREADS = 1;
const DENSE_PX = 256;
/** The naive way is measured on fewer pixels: 32 x 32 are four runs of 256 patches. */
const NAIVE_PX = 32;

export const dense: Benchmark = {
  name: "dense evaluation",
  unit: "kpixel",
  ratios: [
    { name: "dense / naive", of: "dense", to: "naive", by: "rate" },
    { name: "dense / PyTorch's dilated network, typical", of: "dense", to: "PyTorch, typical", by: "rate" },
    { name: "dense / PyTorch's dilated network, best", of: "dense", to: "PyTorch, best", by: "rate" },
  ],
  open: async ({ peers }) => {
    const runtime = await openRuntime({ workers: 1, threadsPerWorker: THREADS, device: "cpu" });
    const { onnx } = seededModel(1, 1, 1);
    const loaded = openNetwork(readModel(onnx), runtime);
    const { image } = makeTissue({ width: DENSE_PX, height: DENSE_PX, seed: 1 });
    const surrounded = (side: number): Uint8Array<ArrayBuffer> => {
      const reach = side + PATCH_SIZE_PX - 1;
      return mirroredRegion(image, -CLASSIFIED_PX, -CLASSIFIED_PX, reach, reach);
    };
    const square = (side: number) => ({ x: 0, y: 0, width: side, height: side });
    const { layers, inputScale } = DEFAULT_NETWORK;
    const pytorch = peers ? await startPytorch("dense_peer.py", THREADS, { network: layers, scale: inputScale }) : [];
    return {
      round: async () => {
        const [large, small] = [surrounded(DENSE_PX), surrounded(NAIVE_PX)];
        const amount = DENSE_PX ** 2 / 1000;
        const timings: Record<string, Timing> = {
          dense: await timed(amount, () => evaluateDense(loaded, large, square(DENSE_PX))),
          naive: await timed(NAIVE_PX ** 2 / 1000, () => evaluatePatches(loaded, small, square(NAIVE_PX))),
        };
        for (const peer of pytorch) {
          const seconds = await peer.ask({ region: DENSE_PX + PATCH_SIZE_PX - 1 });
          timings[`PyTorch, ${peer.kind}`] = { amount, seconds };
        }
        return timings;
      },
      close: async () => {
        for (const peer of pytorch) peer.close();
        await runtime.close();
      },
    };
  },
};
