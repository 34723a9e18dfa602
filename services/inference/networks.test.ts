import assert from "node:assert/strict";
import { test } from "node:test";
import { patchGraph } from "../lib/network/patch-graph.ts";
import { NETWORKS, testContents, testRegion } from "../lib/network/test-data.fixture.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { contentId } from "../lib/service/content-id.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeModelDocument } from "../lib/service/stored-models.fixture.ts";
import { evaluateDense } from "./evaluate-region.ts";
import type { LoadedNetwork } from "./loaded-network.ts";
import { createNetworks } from "./networks.ts";

const RECT = { x: 0, y: 0, width: 8, height: 8 };
const evaluate = (network: LoadedNetwork) => evaluateDense(network, testRegion(RECT.height, RECT.width).slice(), RECT);

test("a network that others displace is there for whoever uses it, and is freed then", async (t) => {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  t.after(() => runtime.close());
  const objects = await temporaryStore(t);
  const onnx = patchGraph(testContents(NETWORKS.default));
  const ids = ["one", "other"].map((name) => contentId(name));
  for (const id of ids) {
    await objects.put(`model-files/${id}`, onnx);
    await storeModelDocument(objects, id, { key: `model-files/${id}` });
  }
  const [one = "", other = ""] = ids;
  const networks = createNetworks(objects, async () => runtime, 1);
  const kept = await networks.use(one, async (network) => {
    await evaluate(network);
    await networks.use(other, evaluate);
    const { probabilities } = await evaluate(network);
    assert.equal(probabilities.length, 3 * 64);
    return network;
  });
  await assert.rejects(evaluate(kept), { reason: "SESSION_RELEASED" });
  await networks.use(one, evaluate);
});
