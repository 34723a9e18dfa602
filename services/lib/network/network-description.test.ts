import assert from "node:assert/strict";
import { test } from "node:test";
import type { Layer } from "./layers.ts";
import { DEFAULT_NETWORK, halved, parseNetwork, placeLayers } from "./network-description.ts";

const conv = (kernelPx: number, channels: number): Layer => ({ type: "conv", kernelPx, channels });
const withLayers = (...layers: unknown[]) => ({ ...DEFAULT_NETWORK, layers });
const refuses = (json: unknown, message: RegExp) =>
  assert.throws(() => parseNetwork(json), {
    name: "DomainError",
    kind: "invalidArgument",
    reason: "NETWORK_INVALID",
    message,
  });

test("reads the default network, of sides 32-28-14-10-5-1", () => {
  const network = parseNetwork(JSON.parse(JSON.stringify(DEFAULT_NETWORK)));
  assert.deepEqual(network, DEFAULT_NETWORK);
  const sides = placeLayers(network).map(({ output }) => output.sidePx);
  assert.deepEqual(sides, [28, 28, 14, 10, 10, 5, 1, 1, 1, 1, 1]);
});

test("names the layer whose pool does not divide its input", () => {
  refuses(withLayers(conv(4, 8), { type: "maxPool", sizePx: 2 }), /layer 2 \("maxPool"\): its size of 2 px.*29 px/);
});

test("names the layer whose kernel is larger than its input", () => {
  refuses(withLayers(conv(30, 8), conv(5, 3)), /layer 2 \("conv"\): its kernel of 5 px.*3 px/);
});

test("asks for a side of exactly 1 and three channels at the end", () => {
  refuses(withLayers(conv(31, 3)), /layer 1 \("conv"\): a patch must come to a side of 1 px, but it comes to 2 px/);
  refuses(withLayers(conv(32, 4)), /the last layer must be a "conv" with 3 channels/);
  refuses(withLayers(conv(32, 3), { type: "relu" }), /layer 2 \("relu"\): the last layer must be a "conv"/);
});

test("a network with more weights than a model's file holds is refused", () => {
  const wide = [conv(5, 2048), conv(5, 2048), conv(24, 3)];
  refuses(withLayers(...wide), /108\d{6} parameters, at most 50000000 are possible/);
});

test("names layer and field of what is not a description at all", () => {
  refuses(withLayers(conv(5, 8), { ...conv(5, 8), padding: 2 }), /layer 2.*padding/);
  refuses(withLayers(conv(5, 0)), /layer 1\.channels/);
  refuses({ ...DEFAULT_NETWORK, version: 2 }, /version/);
  for (const inputScale of [0, -1, 1e300, Number.NaN]) refuses({ ...DEFAULT_NETWORK, inputScale }, /inputScale/);
  refuses(withLayers(conv(5, 8), { type: "maxPool", sizePx: 1 }), /layer 2\.sizePx/);
  refuses("conv", /the whole/);
});

test("half a network has half the channels, still three classes, and an odd number rounded up", () => {
  const channels = placeLayers(parseNetwork(halved(DEFAULT_NETWORK))).flatMap(({ layer }) =>
    layer.type === "conv" ? [layer.channels] : [],
  );
  assert.deepEqual(channels, [16, 16, 32, 32, 3]);
  const odd = halved(parseNetwork(withLayers(conv(32, 5), conv(1, 3))));
  assert.deepEqual(odd.layers, [conv(32, 3), conv(1, 3)]);
});
