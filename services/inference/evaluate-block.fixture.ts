/** @file A block by itself, out of memory, as tests and benchmarks evaluate it. */
import type { Rect } from "../lib/method/image.ts";
import type { EvaluatedSize } from "../lib/network/sparse-plan.ts";
import { type BlockWork, evaluateOpen, type ReadPixels, scatter } from "./evaluate-block.ts";
import type { EvaluatedPixels } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./loaded-network.ts";
import { copyPlanes, surroundedSize } from "./planes.ts";

/** Returns the probabilities of a block, in memory of their own; where pixels are not open they are 0. `surrounded` is planar RGB [3, h + 31, w + 31]. */
export async function evaluateBlock(
  network: LoadedNetwork,
  surrounded: Uint8Array,
  { width, height }: EvaluatedSize,
  work: BlockWork,
): Promise<EvaluatedPixels> {
  const block = { x: 0, y: 0, width, height };
  const probabilities = new Float32Array(3 * width * height);
  const read: ReadPixels = async (rect) => cutSurrounded(surrounded, block, rect);
  const seconds = await evaluateOpen(network, read, block, { ...work, width }, (rect, pixels, values) =>
    scatter(values, pixels, rect, probabilities, block),
  );
  return { probabilities, seconds };
}

/** Cuts a part with what surrounds it out of a block with what surrounds it. */
function cutSurrounded(surrounded: Uint8Array, block: EvaluatedSize, part: Rect): Uint8Array<ArrayBuffer> {
  const size = surroundedSize(part);
  const cut = new Uint8Array(3 * size.width * size.height);
  copyPlanes(surrounded, surroundedSize(block), cut, size, part);
  return cut;
}
