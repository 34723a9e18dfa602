import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { blockGrid, rectAtLevel, tileGrid } from "../lib/method/blocks.ts";
import type { Rect } from "../lib/method/image.ts";
import { NETWORKS, testContents } from "../lib/network/test-data.fixture.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { type LoadedNetwork, openNetwork } from "./loaded-network.ts";
import { computeTile } from "./tile-maps.ts";

/** In level-1 pixels. */
const IMAGE = { x: 0, y: 0, width: 1_230, height: 517 };
const BLOCK_SIDE = 500;
const REDUCTION = 2;

type IsOpen = (x: number, y: number) => boolean;

async function startNetwork(t: TestContext): Promise<LoadedNetwork> {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  t.after(() => runtime.close());
  return openNetwork(testContents(NETWORKS.other), runtime);
}

const inOrder = (rects: readonly Rect[]) => rects.toSorted((a, b) => a.y - b.y || a.x - b.x);

/** Returns the rectangles that all tiles of one side are read in, in pixels of the level. */
async function rectsRead(network: LoadedNetwork, side: number, isOpen?: IsOpen): Promise<readonly Rect[]> {
  const rects: Rect[] = [];
  const read = async (rect: Rect) => {
    rects.push(rect);
    return new Uint8Array(3 * (rect.width + 31) * (rect.height + 31));
  };
  const progress = async () => undefined;
  const common = { network, read, reduction: REDUCTION, blockSide: BLOCK_SIDE, isNaive: false, progress };
  for (const tile of tileGrid(IMAGE.width, IMAGE.height, side)) {
    const { x, y, width, height } = rectAtLevel(tile, REDUCTION);
    const openAt = (i: number) => Number(isOpen?.(x + (i % width), y + Math.floor(i / width)));
    const open = isOpen && Uint8Array.from({ length: width * height }, (_, i) => openAt(i));
    await computeTile({ ...common, tile, open, signal: new AbortController().signal }, () => undefined);
  }
  return inOrder(rects);
}

test("a network that is not exact is evaluated on the image's fixed grid, whatever the tile", async (t) => {
  const network = { ...(await startNetwork(t)), isSparseExact: false };
  const blocks = blockGrid(IMAGE, BLOCK_SIDE).map((block) => rectAtLevel(block, REDUCTION));
  for (const side of [500, 1_000, 1_500]) assert.deepEqual(await rectsRead(network, side), blocks);
});

test("so are its open pixels, part by part of each block", async (t) => {
  const network = { ...(await startNetwork(t)), isSparseExact: false };
  const someNuclei: IsOpen = (x, y) => Math.hypot((x % 100) - 30, (y % 100) - 30) < 5;
  const byBlocks = await rectsRead(network, BLOCK_SIDE, someNuclei);
  for (const side of [1_000, 1_500]) assert.deepEqual(await rectsRead(network, side, someNuclei), byBlocks);
});

test("an exact one, whose numbers do not depend on them, is evaluated on rectangles of the tile", async (t) => {
  const network = { ...(await startNetwork(t)), isSparseExact: true };
  const area = rectAtLevel(IMAGE, REDUCTION);
  const halves = [0, 307].map((x) => ({ ...area, x, width: x === 0 ? 307 : 308 }));
  assert.deepEqual(await rectsRead(network, 1_500), halves);
});
