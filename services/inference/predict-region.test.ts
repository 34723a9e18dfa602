import assert from "node:assert/strict";
import { test } from "node:test";
import { CHANNEL_MEANS, NETWORKS, testParameters } from "../lib/network/test-data.fixture.ts";
import { PredictRegionRequest, RegionPath } from "../lib/proto/radhical/v1/inference.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { createImageStore } from "../lib/service/image-store.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";
import { type OpenNetwork, openNetwork } from "./loaded-network.ts";
import { predictRegion } from "./predict-region.ts";

test("a region patch by patch ends with its caller, and one that shows too much of the image is refused", async (t) => {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  t.after(() => runtime.close());
  const objects = await temporaryStore(t);
  const imageId = await storeImage(objects, 64, 48, (x, y) => [x, y, 200]);
  const parameters = testParameters(NETWORKS.default);
  const network = openNetwork({ network: NETWORKS.default, parameters, channelMeans: CHANNEL_MEANS }, runtime);
  const leaving = new AbortController();
  let runs = 0;
  const watched: OpenNetwork = {
    ...network,
    patches: async () => {
      const session = await network.patches();
      const timedRun: typeof session.timedRun = (...given) => {
        runs++;
        leaving.abort();
        return session.timedRun(...given);
      };
      return { ...session, timedRun };
    },
  };
  const images = createImageStore(objects, 1e9);
  const predict = predictRegion({ images, networks: { use: (_, work) => work(watched) } });
  const request = PredictRegionRequest.fromPartial({
    imageId,
    level: { level: 1, reduction: 1, modelId: "model", mpp: 0.25 },
    path: RegionPath.REGION_PATH_PATCHES,
    width: 64,
    height: 48,
  });
  await assert.rejects(predict(request, leaving), { name: "AbortError" });
  assert.equal(runs, 1, "of twelve");
  const { signal } = new AbortController();
  const { probabilities } = await predict({ ...request, path: RegionPath.REGION_PATH_DENSE }, { signal });
  assert.equal(probabilities.length, 4 * 3 * 64 * 48);

  const wideId = await storeImage(objects, 1, 60_000, () => [200, 150, 200]);
  const wide = { ...request, imageId: wideId, level: { level: 1, reduction: 2_000, modelId: "model", mpp: 0.25 } };
  await assert.rejects(predict({ ...wide, width: 1, height: 30, path: RegionPath.REGION_PATH_DENSE }, { signal }), {
    reason: "REGION_INVALID",
    message: /of 100000000 pixels of the image/,
  });
});
