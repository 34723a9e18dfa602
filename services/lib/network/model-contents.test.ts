import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelProto } from "../proto/third_party/onnx/onnx.ts";
import { readModel } from "./model-contents.ts";
import { patchGraph } from "./patch-graph.ts";
import { CHANNEL_MEANS, NETWORKS, testBothNetworks, testParameters } from "./test-data.fixture.ts";

const unreadable = (message: RegExp) => ({
  name: "DomainError",
  kind: "invalidArgument",
  reason: "MODEL_UNREADABLE",
  message,
});

testBothNetworks("reads back all that went into a model", async (_t, network) => {
  const parameters = testParameters(network);
  const { properties, ...contents } = readModel(patchGraph(network, parameters, CHANNEL_MEANS, { "a.key": "said" }));
  assert.deepEqual(contents, { network, parameters, channelMeans: CHANNEL_MEANS });
  assert.equal(properties["a.key"], "said");
});

testBothNetworks("writes the same bytes for the same contents", async (_t, network) => {
  const write = () => patchGraph(network, testParameters(network), CHANNEL_MEANS);
  assert.deepEqual(write(), write());
});

test("refuses bytes that are no model, or another's model", () => {
  assert.throws(() => readModel(Uint8Array.of(255, 255, 255, 255)), unreadable(/not an ONNX file/));
  assert.throws(() => readModel(new Uint8Array()), unreadable(/no property "radhical.network"/));
});

test("refuses a model whose tensors are not those of its description", () => {
  const model = ModelProto.decode(patchGraph(NETWORKS.other, testParameters(NETWORKS.other), CHANNEL_MEANS));
  const [property] = model.metadataProps;
  property!.value = JSON.stringify(NETWORKS.default);
  assert.throws(
    () => readModel(ModelProto.encode(model).finish()),
    unreadable(/"conv1.weight" of shape \[32, 3, 5, 5\]/),
  );
  property!.value = "{";
  assert.throws(() => readModel(ModelProto.encode(model).finish()), unreadable(/JSON/));
});
