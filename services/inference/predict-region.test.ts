import assert from "node:assert/strict";
import { test } from "node:test";
import { NETWORKS, testContents } from "../lib/network/test-data.fixture.ts";
import { PredictRegionRequest, RegionPath } from "../lib/proto/radhical/v1/inference.ts";
import { openRuntime } from "../lib/runtime/runtime.ts";
import { createImageStore, type ImageStore } from "../lib/service/image-store.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { storeImage } from "../lib/service/stored-images.fixture.ts";
import { type LoadedNetwork, type OpenNetwork, openNetwork } from "./loaded-network.ts";
import { predictRegion } from "./predict-region.ts";

test("a region patch by patch ends with its caller", async (t) => {
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  t.after(() => runtime.close());
  const objects = await temporaryStore(t);
  const imageId = await storeImage(objects, 64, 48, (x, y) => [x, y, 200]);
  const network = openNetwork(testContents(NETWORKS.default), runtime);
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
  const unknown = { ...request, path: 9 as RegionPath };
  await assert.rejects(predict(unknown, { signal }), { reason: "REGION_INVALID", message: /path 9/ });
});

test("a region that sees too much of the image is refused before anything is read, with all that surrounds it", async () => {
  const side = 30_000;
  const read = new Error("read");
  const source = { width: side, height: side, readRegion: () => Promise.reject(read) };
  const images = { open: async () => source } as unknown as ImageStore;
  const networks = { use: <T>(_: string, work: (network: LoadedNetwork) => Promise<T>) => work({} as LoadedNetwork) };
  const predict = predictRegion({ images, networks });
  const { signal } = new AbortController();
  const asked = (reduction: number, width: number, height = width) =>
    predict(
      PredictRegionRequest.fromPartial({
        imageId: "image",
        level: { level: 1, reduction, modelId: "model", mpp: 0.25 },
        path: RegionPath.REGION_PATH_DENSE,
        width,
        height,
      }),
      { signal },
    );
  const refused = { reason: "REGION_INVALID", message: /at most 100000000 pixels of the image/ };
  // One pixel, at the image's corner, sees 16 of the level beyond itself: 17 x 17 blocks of 1,000 x 1,000.
  await assert.rejects(asked(1_000, 1), refused);
  // (n + 15) x 100 level-1 pixels a side: 10,000 are possible, 10,100 are not.
  await assert.rejects(asked(100, 86), refused);
  await assert.rejects(asked(100, 85), read);
  await assert.rejects(asked(1, 1_001, 1_000), { reason: "REGION_INVALID" });
  await assert.rejects(asked(1, 1_000), read);
});
