/**
 * @file What the product's own runtime gives for patches, for run_models.py to compare with:
 * `node probabilities.js MODEL PATCHES OUT` reads planar patches of 3072 bytes each and writes 3 float32 for each.
 */
import { readFile, writeFile } from "node:fs/promises";
import { PATCH_BYTES } from "../../services/lib/method/patches.ts";
import { openRuntime } from "../../services/lib/runtime/runtime.ts";
import { float32Data } from "../../services/lib/runtime/tensor.ts";

const BATCH = 256;
const CLASSES = 3;

const [model = "", patchFile = "", out = ""] = process.argv.slice(2);
const patches = await readFile(patchFile);
const probabilities = new Float32Array((patches.length / PATCH_BYTES) * CLASSES);
const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
try {
  const session = await runtime.session(await readFile(model));
  for (let first = 0; first * PATCH_BYTES < patches.length; first += BATCH) {
    const data = patches.subarray(first * PATCH_BYTES, (first + BATCH) * PATCH_BYTES);
    const outputs = await session.run({
      patches: { type: "uint8", dims: [data.length / PATCH_BYTES, 3, 32, 32], data },
    });
    probabilities.set(float32Data(outputs.probabilities), first * CLASSES);
  }
  await writeFile(out, probabilities);
} finally {
  await runtime.close();
}
