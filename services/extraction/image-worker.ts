/** @file Cuts the patches of one image: one shard per level. */
import { DomainError } from "../lib/errors.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { SAMPLING_RULE, type SampleCounts, type Shortfall } from "../lib/method/sampling.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import type { Sampling } from "../lib/proto/radhical/v1/extraction.ts";
import { ExtractRecord, type ExtractRecord_LevelPatches, ExtractTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { annotationWord, MASK_KINDS } from "../lib/service/method-words.ts";
import { IMAGE_TOPIC } from "../lib/service/topics.ts";
import type { Cutters } from "./cutters.ts";

export interface ImageWorkerContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
  readonly cutters: Cutters;
  /** Images at a time. */
  readonly workers: number;
}

/** Returns the worker of extract jobs. Images are decoded by libvips and cut by threads of their own, not by the main thread. */
export const imageWorker = (ctx: ImageWorkerContext): UnitHandler<ExtractTask> => ({
  topics: [IMAGE_TOPIC],
  members: ctx.workers,
  codec: ExtractTask,
  handle: async (task, unit) => {
    const { imageId, maskId, maskKind, sampling, normalisation, samplingRule } = task;
    if (normalisation !== NORMALISATION || samplingRule !== SAMPLING_RULE)
      throw new DomainError(
        "failedPrecondition",
        "JOB_OUTDATED",
        `Cannot extract from image "${imageId}": the job is of a version with another normalisation or other rules of sampling; extract again`,
      );
    const source = await ctx.images.open(imageId);
    await unit.progress();
    const { labels, kind: readAs } = await ctx.images.mask(maskId, maskKind);
    await unit.progress();
    const image = await source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
    // The thread says nothing until its first level is cut: 0.6 s after this for 36 Mpixel, most of it sampling.
    await unit.progress();
    const request = {
      image,
      labels,
      maskKind: readAs,
      annotation: annotationWord(task.annotation),
      reductions: sampling?.reductions ?? [],
      counts: countsOf(sampling),
      seed: String(sampling?.seed ?? 0n),
      imageId,
    };
    const folder = objectKey("patches", contentId(encode(ExtractTask, task)));
    const levels: ExtractRecord_LevelPatches[] = [];
    const { shortfalls, nuclei } = await ctx.cutters.cut(request, async ({ level, labels: patchLabels }, shard) => {
      const shardKey = objectKey(folder, `level-${level}.tar`);
      await ctx.objects.put(shardKey, shard, { ifAbsent: true });
      levels.push({ level, labels: Buffer.from(patchLabels), shardKey });
      await unit.progress();
    });
    return encode(ExtractRecord, {
      levels,
      shortfalls: shortfalls.map((entry) => toProto(imageId, entry)),
      maskKind: MASK_KINDS[readAs],
      nuclei: BigInt(nuclei),
    });
  },
});

const countsOf = (sampling: Sampling | undefined): SampleCounts =>
  sampling ?? { positive: 0, edge: 0, background: 0, nucleus: 0, mixed: 0, none: 0 };

const toProto = (imageId: string, { level, kind, wanted, found }: Shortfall) => ({
  imageId,
  level,
  kind,
  wanted: BigInt(wanted),
  found: BigInt(found),
});
