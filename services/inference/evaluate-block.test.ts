import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { NetworkDescription } from "../lib/network/network-description.ts";
import {
  greatestDifference,
  testContents,
  testEvaluatedNetworks,
  testRegion,
} from "../lib/network/test-data.fixture.ts";
import { checkBlocksFound } from "../lib/runtime/channel-block.fixture.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { evaluateBlock } from "./evaluate-block.fixture.ts";
import { evaluateDense } from "./evaluate-region.ts";
import { type LoadedNetwork, openNetwork } from "./loaded-network.ts";

const RECT = { x: 0, y: 0, width: 300, height: 220 };
/** Open pixels of two parts, for each path: a few, nuclei, and nearly all. */
const OPEN: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  "a few scattered pixels": (x, y) => x % 97 === 3 && y % 53 === 11,
  "some nuclei": (x, y) => Math.hypot((x % 100) - 30, (y % 100) - 30) < 5,
  "half of the pixels": (x, y) => Math.hypot((x % 30) - 15, (y % 30) - 15) < 11,
  "one part only": (x, y) => x > 200 && y < 60,
  "all but one pixel": (x, y) => x + y > 0,
};

async function open(t: TestContext, description: NetworkDescription) {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  t.after(() => runtime.close());
  checkBlocksFound(runtime);
  const network = openNetwork(testContents(description), runtime);
  return { network, channelBlock: runtime.channelBlock };
}

const likeDense = "a block has at its open pixels what dense evaluation of it all gives, whatever is open";
testEvaluatedNetworks(likeDense, async (t, { network: description, fitsBlocks }) => {
  const { network, channelBlock } = await open(t, description);
  const surrounded = testRegion(RECT.height, RECT.width);
  const pixels = RECT.width * RECT.height;
  const whole = (await evaluateDense(network, surrounded.slice(), RECT)).probabilities;
  // Tiles are cut into blocks of their own where this is exact, so there it has to be.
  const isExact = fitsBlocks && channelBlock > 0;
  assert.equal(network.isSparseExact, isExact);
  const used = new Set<string>();
  const spied: LoadedNetwork = {
    ...network,
    dense: () => network.dense().finally(() => used.add("dense")),
    patches: () => network.patches().finally(() => used.add("patches")),
    sparse: () => network.sparse().finally(() => used.add("sparse")),
  };
  for (const [what, isOpen] of Object.entries(OPEN)) {
    const open = Uint8Array.from({ length: pixels }, (_, i) =>
      Number(isOpen(i % RECT.width, Math.floor(i / RECT.width))),
    );
    const { probabilities } = await evaluateBlock(spied, surrounded.slice(), RECT, { open, isNaive: false });
    const atOpen = (map: Float32Array) => map.filter((_, i) => open[i % pixels] === 1);
    const allowed = isExact ? 0 : 1e-6;
    assert.ok(greatestDifference(atOpen(probabilities), atOpen(whole)) <= allowed, what);
  }
  assert.equal(used.size, 3, `paths taken: ${[...used].join(", ")}`);

  const few = Uint8Array.from({ length: pixels }, (_, i) => (i === 5 ? 1 : 0));
  used.clear();
  await evaluateBlock({ ...spied, canBeSparse: false }, surrounded.slice(), RECT, { open: few, isNaive: false });
  assert.deepEqual([...used], ["dense"], "where costs are not known");
});

const likeWhole = "a block that the border cuts, computed at full size, has the same probabilities";
testEvaluatedNetworks(likeWhole, async (t, { network: description }) => {
  const { network } = await open(t, description);
  const cut = { x: 0, y: 0, width: 37, height: 12 };
  const surrounded = testRegion(cut.height, cut.width);
  const asIs = (await evaluateDense(network, surrounded.slice(), cut)).probabilities;
  const computed: (readonly number[])[] = [];
  const spied: LoadedNetwork = {
    ...network,
    canBeSparse: false,
    plansBySize: true,
    dense: async () => {
      const session = await network.dense();
      return {
        ...session,
        timedRun: (feeds, ...rest) => {
          computed.push(feeds.region!.dims);
          return session.timedRun(feeds, ...rest);
        },
      };
    },
  };
  const fullSize = { width: 100, height: 90 };
  const work = { open: undefined, isNaive: false, fullSize };
  const { probabilities } = await evaluateBlock(spied, surrounded.slice(), cut, work);
  assert.deepEqual(computed, [[1, 3, fullSize.height + 31, fullSize.width + 31]]);
  assert.equal(probabilities.length, asIs.length);
  assert.ok(greatestDifference(probabilities, asIs) <= 1e-6);
});
