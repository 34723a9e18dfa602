/** @file The memory of a build is a matter of its pieces, not of how many patches there are (by hand at full size: `npm run bench database`). */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { RECORD_BYTES } from "../lib/patches/records.ts";
import { temporaryFolder } from "../lib/service/jobs/jobs.fixture.ts";
import { type BuildCost, buildInChild, storePatches } from "./stored-patches.fixture.ts";

const CENTRES_PER_IMAGE = 125;

const costOf = async (t: TestContext, images: number): Promise<BuildCost> => {
  const folder = await temporaryFolder(t);
  return buildInChild(folder, await storePatches(folder, { images, centresPerImage: CENTRES_PER_IMAGE }));
};

test("three times as many patches are split and built in the same memory", async (t) => {
  const [few, many] = [await costOf(t, 60), await costOf(t, 160)];
  assert.ok(many.trainPatches > 2.5 * few.trainPatches);
  const morePixels = (many.trainPatches - few.trainPatches) * RECORD_BYTES;
  const moreMemory = many.peakBytes - few.peakBytes;
  t.diagnostic(`${(moreMemory / 1e6).toFixed(0)} MB more for ${(morePixels / 1e6).toFixed(0)} MB of records more`);
  // Who holds them all takes at least their size; the collector's moods are 30 MB.
  assert.ok(moreMemory < 0.8 * morePixels, `${moreMemory} bytes more for ${morePixels} bytes of records more`);
});
