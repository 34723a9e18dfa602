/** @file Models that were never trained but compute as any other: enough to check how pixels are computed. */
import { NORMALISATION } from "../services/lib/method/normalisation.ts";
import { DEFAULT_NETWORK, type NetworkDescription } from "../services/lib/network/network-description.ts";
import { initialParameters } from "../services/lib/network/parameters.ts";
import { patchGraph } from "../services/lib/network/patch-graph.ts";
import { sha256, shortId } from "../services/lib/service/content-id.ts";
import type { ModelFile } from "./exactness-run.ts";

/** About those of stained tissue; what a network subtracts from red, green and blue. */
const CHANNEL_MEANS = Float32Array.of(190, 150, 190);

/** Returns the model of one level, a function of its arguments alone. */
export function seededModel(
  level: number,
  reduction: number,
  seed: number,
  { network = DEFAULT_NETWORK, members = 1 }: { readonly network?: NetworkDescription; readonly members?: number } = {},
): ModelFile {
  const onnx = patchGraph({
    network,
    members: Array.from({ length: members }, (_, member) => initialParameters(network, seed + level + 100 * member)),
    channelMeans: CHANNEL_MEANS,
  });
  const manifest = {
    modelId: shortId(sha256(onnx)),
    splitId: "",
    fold: 1,
    level,
    reduction,
    mpp: 0.25,
    normalisation: NORMALISATION,
    settings: { iterations: 1, members },
    testAccuracy: 0,
    confusion: [
      [0, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ],
    rareClasses: [],
  };
  return { onnx, manifest: JSON.stringify(manifest) };
}
