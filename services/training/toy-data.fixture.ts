/** @file A problem that a tiny network learns in a few steps: three classes of patches that differ in brightness. */
import { createRandom } from "../lib/method/random.ts";
import { parseNetwork } from "../lib/network/network-description.ts";
import { RECORD_BYTES } from "../lib/patches/records.ts";

/** 32-28-4-1 pixels. */
export const TINY_NETWORK = parseNetwork({
  version: 1,
  patchSizePx: 32,
  classifiedPx: 16,
  channels: 3,
  classes: 3,
  inputScale: 1 / 255,
  layers: [
    { type: "conv", kernelPx: 5, channels: 4 },
    { type: "relu" },
    { type: "maxPool", sizePx: 7 },
    { type: "conv", kernelPx: 4, channels: 3 },
  ],
});

/** Returns a record file: labels 0, 1, 2, 0, ...; a patch's brightness is its class's, its pixels are noisy and all different. */
export function toyRecords(count: number, seed: number, labels = 3): Uint8Array {
  const random = createRandom("toy", seed);
  const records = new Uint8Array(count * RECORD_BYTES);
  for (let i = 0; i < count; i++) {
    const label = i % labels;
    const start = i * RECORD_BYTES;
    records[start] = label;
    for (let at = 1; at < RECORD_BYTES; at++) records[start + at] = 40 + 80 * label + Math.floor(40 * random.next());
  }
  return records;
}
