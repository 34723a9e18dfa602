/** @file The manifest of a model: all that made it, so that a reader can tell what it is and make it again. */

import { NORMALISATION } from "../lib/method/normalisation.ts";
import { OPSET } from "../lib/network/graph.ts";
import type { NetworkDescription } from "../lib/network/network-description.ts";
import type { Model, TrainingSettings } from "../lib/proto/radhical/v1/training.ts";
import type { BuildRecord } from "../lib/proto/radhical/v1/work.ts";
import { SOFTWARE_VERSION } from "../lib/service/version.ts";
import { classWeights, countClasses } from "./class-weights.ts";
import { ACCURACY_PATCHES, ACCURACY_STEPS, LOSS_STEPS } from "./curve.ts";
import { rulesOf } from "./train.ts";

export interface ManifestParts {
  readonly model: Model;
  readonly settings: TrainingSettings;
  readonly network: NetworkDescription;
  readonly data: BuildRecord;
  readonly computeClass: string;
  readonly story: TrainingStory;
}

/** How a model came about: the curves of its training, or the manifests of those that it is the mean of. */
export type TrainingStory = ReturnType<typeof curvesOf> | { readonly trainings: readonly unknown[] };

/** Returns what a manifest says of a training's course. */
export const curvesOf = (losses: readonly number[], accuracies: readonly number[]) => ({
  // The loss is the mean over the steps up to `step`; the accuracy is the model's, had training ended there.
  lossCurve: losses.map((loss, i) => ({ step: (i + 1) * LOSS_STEPS, loss })),
  accuracyCurve: accuracies.map((accuracy, i) => ({ step: (i + 1) * ACCURACY_STEPS, accuracy })),
  accuracyCurvePatches: `at most ${ACCURACY_PATCHES} test patches, evenly spread`,
});

/** Returns the manifest as JSON. It holds no time and no speed: the same training gives the same bytes. */
export function buildManifest({ model, settings, network, data, computeClass, story }: ManifestParts): string {
  const { modelId, splitId, fold, level, reduction, mpp, iterations, members, testAccuracy, confusion, rareClasses } =
    model;
  const classes = data.train?.database?.classOfLabel ?? [];
  const { coarseNetwork: _, ...own } = settings;
  const manifest = {
    modelId,
    splitId,
    fold,
    level,
    reduction,
    mpp,
    normalisation: NORMALISATION,
    // of the input and of data.channelMeans; Caffe's databases have them the other way round
    channels: ["red", "green", "blue"],
    classes: ["none", "mixed", "nucleus"],
    classOfLabel: classes,
    settings: { ...own, ...rulesOf(settings), members, iterations, seed: Number(settings.seed), network },
    data: {
      trainSha256: data.train?.database?.recordsSha256,
      testSha256: data.test?.database?.recordsSha256,
      channelMeans: data.channelMeans,
    },
    classWeights: [...classWeights(countClasses(data.train?.database?.byLabel ?? [], classes))],
    versions: { radhical: SOFTWARE_VERSION, onnxOpset: Number(OPSET) },
    computeClass,
    rareClasses,
    testAccuracy,
    confusion: [0, 1, 2].map((row) => confusion.slice(3 * row, 3 * row + 3).map(Number)),
    ...story,
  };
  return `${JSON.stringify(manifest, undefined, 2)}\n`;
}
