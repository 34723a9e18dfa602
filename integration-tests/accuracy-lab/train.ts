/** @file One training of a level on some patients; then the maps of every image, of those learnt from too. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { evaluateDense } from "../../services/inference/evaluate-region.ts";
import { openNetwork } from "../../services/inference/loaded-network.ts";
import { invalid } from "../../services/lib/errors.ts";
import { reduceImage } from "../../services/lib/method/levels.ts";
import { mirroredRegion } from "../../services/lib/method/mirror.ts";
import { CLASSIFIED_PX, PATCH_SIZE_PX } from "../../services/lib/method/patches.ts";
import { classesOfLabels, DEFAULT_COUNTS } from "../../services/lib/method/sampling.ts";
import { readModel } from "../../services/lib/network/model-contents.ts";
import { DEFAULT_NETWORK, halved, parseNetwork } from "../../services/lib/network/network-description.ts";
import { patchGraph } from "../../services/lib/network/patch-graph.ts";
import { openRuntime, type Runtime } from "../../services/lib/runtime/runtime.ts";
import { openBatchFeed } from "../../services/training/batch-feed.ts";
import { classWeights, countClasses } from "../../services/training/class-weights.ts";
import { type CurveSoFar, latestLoss } from "../../services/training/curve.ts";
import { trainNetwork } from "../../services/training/training-run.ts";
import type { LabImage } from "./cohort.ts";
import { labRecords } from "./records.ts";

const Count = z.int().min(0);
/** What a training may differ from the defaults of `radhical run` in. */
const LabSettings = z
  .object({
    level: z.int().min(1).default(1),
    reductions: z.array(z.int().min(1)).default([1, 2, 4, 10]),
    iterations: z.int().min(1).default(8_000),
    learningRate: z.number().positive().default(0.002),
    weightDecay: z.number().min(0).default(0.0002),
    stainJitter: z.number().min(0).max(1).default(0.2),
    averagedSteps: Count.default(0),
    positive: Count.default(DEFAULT_COUNTS.complete.positive),
    edge: Count.default(DEFAULT_COUNTS.complete.edge),
    background: Count.default(DEFAULT_COUNTS.complete.background),
    nucleus: Count.default(DEFAULT_COUNTS.complete.nucleus),
    mixed: Count.default(DEFAULT_COUNTS.complete.mixed),
    none: Count.default(DEFAULT_COUNTS.complete.none),
    seed: z.int().default(1),
    network: z.unknown().transform(parseNetwork).optional(),
  })
  .strict();
type LabSettings = z.output<typeof LabSettings>;

/** Returns the settings of a training that JSON text names. Throws SETTINGS_INVALID or NETWORK_INVALID. */
export function parseLabSettings(text: string): LabSettings {
  const refused = (why: string) => invalid("SETTINGS_INVALID", `Cannot read --settings: ${why}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw refused(`${String(error)}; give JSON, as {"iterations":4000}`);
  }
  const parsed = LabSettings.safeParse(json);
  if (!parsed.success) throw refused(z.prettifyError(parsed.error));
  return parsed.data;
}

const REPORT_EVERY = 20;

/** Trains on the images of `learn` and writes model, settings and maps into a folder. */
export async function trainInLab(
  cohort: readonly LabImage[],
  learn: readonly string[],
  settings: LabSettings,
  folder: string,
  tell: (line: string) => void,
): Promise<void> {
  const reduction = reductionOf(settings);
  await mkdir(folder, { recursive: true });
  const runtime = await openRuntime({ workers: 1, threadsPerWorker: 1, device: "cpu" });
  try {
    const learnt = cohort.filter(({ patient }) => learn.includes(patient));
    const { onnx, loss } = await trainOn(runtime, learnt, settings, tell);
    await writeFile(join(folder, `level-${settings.level}.onnx`), onnx);
    await writeFile(join(folder, "settings.json"), JSON.stringify({ learn, loss, settings }, undefined, 2));
    const network = openNetwork(readModel(onnx), runtime);
    for (const { stem, image: finest } of cohort) {
      const image = reduceImage(finest, reduction);
      const { width, height } = image;
      const reach = PATCH_SIZE_PX - 1;
      const surrounded = mirroredRegion(image, -CLASSIFIED_PX, -CLASSIFIED_PX, width + reach, height + reach);
      const { probabilities } = await evaluateDense(network, surrounded, { width, height });
      await writeFile(join(folder, `${stem}.maps`), new Uint8Array(probabilities.slice().buffer));
    }
  } finally {
    await runtime.close();
  }
}

const reductionOf = ({ level, reductions }: LabSettings): number => {
  const reduction = reductions[level - 1];
  if (reduction === undefined)
    throw invalid("SETTINGS_INVALID", `Cannot train level ${level}: there are ${reductions.length} reductions`);
  return reduction;
};

async function trainOn(
  runtime: Runtime,
  images: readonly LabImage[],
  settings: LabSettings,
  tell: (line: string) => void,
): Promise<{ readonly onnx: Uint8Array; readonly loss: number | undefined }> {
  const { seed, level, stainJitter, iterations } = settings;
  const network = settings.network ?? (level === 1 ? DEFAULT_NETWORK : halved(DEFAULT_NETWORK));
  const batchSize = 128;
  const { bytes, counts, channelMeans } = labRecords(images, { ...settings, counts: settings });
  const classOfLabel = classesOfLabels(level);
  const source = { records: bytes, classOfLabel, batchSize, seed: String(seed), stainJitter };
  const feed = openBatchFeed(source, iterations);
  const context = {
    name: `level ${level}, seed ${seed}`,
    runtime,
    checkpoint: { state: undefined, save: async () => undefined },
    batch: feed.batch,
    accuracyOf: async () => 0,
    signal: new AbortController().signal,
    report: async (state: CurveSoFar, speed: number) => {
      if (state.step % REPORT_EVERY === 0)
        tell(`step ${state.step}, loss ${latestLoss(state)?.toFixed(3)}, ${speed.toFixed(1)} steps/s`);
    },
  };
  const { weights, state } = await trainNetwork(context, {
    ...settings,
    network,
    batchSize,
    optimizer: "adam",
    rateSchedule: "cosine",
    initialAccumulator: 0,
    classWeights: classWeights(countClasses(counts.map(BigInt), classOfLabel)),
    channelMeans,
  }).finally(() => feed.stop());
  return { onnx: patchGraph({ network, members: [weights], channelMeans }), loss: latestLoss(state) };
}
