import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelProto } from "../proto/third_party/onnx/onnx.ts";
import { readModel } from "./model-contents.ts";
import { patchGraph } from "./patch-graph.ts";
import { NETWORKS, testBothNetworks, testContents } from "./test-data.fixture.ts";

const unreadable = (message: RegExp) => ({
  name: "DomainError",
  kind: "invalidArgument",
  reason: "MODEL_UNREADABLE",
  message,
});

testBothNetworks("reads back all that went into a model", async (_t, network) => {
  for (const members of [1, 3]) {
    const { properties, ...contents } = readModel(patchGraph(testContents(network, members), { "a.key": "said" }));
    assert.deepEqual(contents, testContents(network, members));
    assert.equal(properties["a.key"], "said");
  }
});

testBothNetworks("writes the same bytes for the same contents", async (_t, network) => {
  const write = () => patchGraph(testContents(network));
  assert.deepEqual(write(), write());
});

test("refuses bytes that are no model, or another's model", () => {
  assert.throws(() => readModel(Uint8Array.of(255, 255, 255, 255)), unreadable(/not an ONNX file/));
  assert.throws(() => readModel(new Uint8Array()), unreadable(/no property "radhical.network"/));
});

test("refuses a model whose tensors are not those of its description", () => {
  const model = ModelProto.decode(patchGraph(testContents(NETWORKS.other)));
  const [property] = model.metadataProps;
  property!.value = JSON.stringify(NETWORKS.default);
  assert.throws(
    () => readModel(ModelProto.encode(model).finish()),
    unreadable(/"conv1.weight" of shape \[32, 3, 5, 5\]/),
  );
  property!.value = "{";
  assert.throws(() => readModel(ModelProto.encode(model).finish()), unreadable(/JSON/));
});

test("refuses a model that says it has members which it has not, or no possible number of them", () => {
  const model = ModelProto.decode(patchGraph(testContents(NETWORKS.other, 2)));
  const count = model.metadataProps.find(({ key }) => key === "radhical.members")!;
  const read = (said: string) => {
    count.value = said;
    return readModel(ModelProto.encode(model).finish());
  };
  assert.equal(read("2").members.length, 2);
  assert.throws(() => read("3"), unreadable(/no float32 tensor "member3.conv1.weight"/));
  for (const said of ["0", "9", "two"]) assert.throws(() => read(said), unreadable(/"radhical.members" is .*, 1 to 8/));
});
