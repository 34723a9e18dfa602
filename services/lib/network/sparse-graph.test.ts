import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { checkBlocksFound } from "../runtime/channel-block.fixture.ts";
import { openRuntime } from "../runtime/runtime.ts";
import { canBlock } from "./blocked/places.ts";
import { denseGraph } from "./dense-graph.ts";
import { cheapestPath } from "./evaluation-path.ts";
import type { ModelContents } from "./model-contents.ts";
import { sparseGraph } from "./sparse-graph.ts";
import { coverOf, cutRegions, type EvaluatedSize, planWindows, wholeCover } from "./sparse-plan.ts";
import {
  greatestDifference,
  NETWORKS,
  startRunner,
  testBothNetworks,
  testContents,
  testEvaluatedNetworks,
  testRegion,
  uniform,
} from "./test-data.fixture.ts";
import { gatheringLayer, windowedLayers } from "./windowed-layers.ts";

const pixelsWhere = (width: number, height: number, isSelected: (x: number, y: number) => boolean): Int32Array =>
  Int32Array.from(
    Array.from({ length: width * height }, (_, i) => i).filter((i) => isSelected(i % width, Math.floor(i / width))),
  );

interface Selection extends EvaluatedSize {
  readonly name: string;
  /** Row-major, ascending. */
  readonly selected: Int32Array;
}

const SELECTIONS: readonly Selection[] = [
  { name: "the only pixel", width: 1, height: 1, selected: Int32Array.of(0) },
  { name: "two corners", width: 9, height: 31, selected: Int32Array.of(0, 9 * 31 - 1) },
  { name: "every pixel", width: 13, height: 7, selected: pixelsWhere(13, 7, () => true) },
  { name: "a disc", width: 40, height: 33, selected: pixelsWhere(40, 33, (x, y) => Math.hypot(x - 20, y - 15) < 9) },
  {
    name: "scattered pixels",
    width: 37,
    height: 41,
    selected: pixelsWhere(37, 41, (x, y) => uniform(9, 37 * y + x) < 0.03),
  },
];

/** The largest difference between dense and sparse evaluation from every kind of cover, with blocks of so many channels. */
async function compare(t: TestContext, contents: ModelContents, selection: Selection, block: number) {
  const { width, height, selected } = selection;
  const run = await startRunner(t);
  const data = testRegion(height, width);
  const surrounded = { width: width + 31, height: height + 31 };
  const region = { type: "uint8", dims: [1, 3, surrounded.height, surrounded.width], data } as const;
  const dense = (await run(denseGraph(contents), { region })).probabilities!;
  const expected = [0, 1, 2].flatMap((c) => Array.from(selected, (pixel) => dense[c * width * height + pixel]!));
  const layers = windowedLayers(contents.network);
  const gathering = gatheringLayer(layers)!;
  const layer = layers[gathering]!;
  const { marginPx } = layers[gathering - 1]!;
  const small = { width: 5, height: 3 };
  const model = sparseGraph(contents, block);
  let largest = 0;
  for (const cover of [
    coverOf(selected, selection, layer, marginPx),
    coverOf(selected, selection, layer, marginPx, small),
    wholeCover(selection, marginPx),
  ]) {
    const { rectangle, corners } = cover;
    const reach = 31 - marginPx;
    const dims = [corners.length / 2, 3, rectangle.height + reach, rectangle.width + reach];
    const windows = new Int32Array(layer.windowPx ** 2 * selected.length);
    planWindows(cover, layer, selected, selection, windows);
    const regions = new Uint8Array(dims.reduce((product, dim) => product * dim));
    cutRegions(data, surrounded, cover, reach, regions);
    const sparse = await run(model, {
      regions: { type: "uint8", dims, data: regions },
      windows: { type: "int32", dims: [layer.windowPx, selected.length, layer.windowPx], data: windows },
    });
    largest = Math.max(largest, greatestDifference(sparse.probabilities!, expected));
  }
  return largest;
}

for (const selection of SELECTIONS) {
  const { name, width, height } = selection;
  const where = `${name} of ${width} x ${height}`;
  testBothNetworks(`gives ${where} what dense evaluation gives, from every cover`, async (t, network) => {
    const largest = await compare(t, testContents(network), selection, 0);
    assert.ok(largest <= 1e-6, `differs by ${largest}`);
  });

  const behaviour = `gives ${where} the very bits of dense evaluation where CPU and widths have blocks`;
  testEvaluatedNetworks(behaviour, async (t, { network, members, fitsBlocks }) => {
    const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
    const { channelBlock } = runtime;
    await runtime.close();
    checkBlocksFound(runtime);
    const largest = await compare(t, testContents(network, members), selection, channelBlock);
    const allowed = fitsBlocks && channelBlock > 0 ? 0 : 1e-6;
    assert.ok(largest <= allowed, `differs by ${largest} in blocks of ${channelBlock}`);
  });
}

testEvaluatedNetworks("is evaluated in blocks where all its widths have them, else as rows", (_t, evaluated) => {
  const layers = windowedLayers(evaluated.network);
  for (const block of [8, 16]) assert.equal(canBlock(layers, block), evaluated.fitsBlocks);
});

test("the default network gathers for its third convolution", () => {
  const layers = windowedLayers(NETWORKS.default);
  const { output, dilation, multiplyAdds } = layers[gatheringLayer(layers)!]!;
  assert.deepEqual([output.channels, dilation, multiplyAdds], [64, 4, 51_200]);
});

/** Discs of radius 10, as nuclei, on as much of 256 x 256 pixels as the share says. */
const nuclei = (share: number) => {
  const spacing = Math.sqrt((Math.PI * 100) / share);
  return pixelsWhere(256, 256, (x, y) => Math.hypot((x % spacing) - spacing / 2, (y % spacing) - spacing / 2) < 10);
};

testEvaluatedNetworks("takes the path that is the fastest by what NUMBERS.md measured", (_t, { network }) => {
  const layers = windowedLayers(network);
  const chosen = (selected: Int32Array) => {
    const path = cheapestPath(layers, selected, { width: 256, height: 256 });
    if (path.kind !== "sparse") return path.kind;
    return path.cover.corners.length === 2 ? "sparse from the whole" : "sparse from rectangles";
  };
  assert.equal(chosen(nuclei(0.03)), "sparse from rectangles");
  // Almost all of the other network lies before what it gathers for: from the whole, that saves less than gathering costs.
  assert.equal(chosen(nuclei(0.25)), network === NETWORKS.other ? "dense" : "sparse from the whole");
  assert.equal(chosen(pixelsWhere(256, 256, () => true)), "dense");
  assert.equal(chosen(Int32Array.of(5, 40_000)), "patches");
});
