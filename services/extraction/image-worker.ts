/** @file Draws the patches of one image: where each lies and of which class it is, at every level. */
import { DomainError } from "../lib/errors.ts";
import type { Annotation } from "../lib/method/image.ts";
import { NORMALISATION } from "../lib/method/normalisation.ts";
import { SAMPLING_RULE, type SampleCounts, type Shortfall } from "../lib/method/sampling.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import type { Sampling } from "../lib/proto/radhical/v1/extraction.ts";
import { ExtractRecord, ExtractTask, PatchCentres } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { annotationWord, MASK_KINDS } from "../lib/service/method-words.ts";
import { bytesOf } from "../lib/service/number-bytes.ts";
import { IMAGE_TOPIC } from "../lib/service/topics.ts";
import type { Samplers } from "./samplers.ts";

export interface ImageWorkerContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
  readonly samplers: Samplers;
  /** Images at a time. */
  readonly workers: number;
}

/** Returns the worker of extract jobs. Files are decoded by libvips and sampled by threads of their own, not by the main thread. */
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
    const { labels, kind: readAs } = await ctx.images.mask(maskId, maskKind);
    await unit.progress();
    const annotated = await readAnnotated(ctx.images, imageId, annotationWord(task.annotation));
    // The thread says nothing until it is done: 1 s after this for 36 Mpixel.
    await unit.progress();
    const request = {
      ...annotated,
      labels,
      maskKind: readAs,
      reductions: sampling?.reductions ?? [],
      counts: countsOf(sampling),
      seed: String(sampling?.seed ?? 0n),
      imageId,
    };
    const { levels, shortfalls, nuclei } = await ctx.samplers.lend((sampler) => sampler.ask(request, [labels.buffer]));
    const centresKey = objectKey("patches", contentId(encode(ExtractTask, task)), "centres");
    const centres = levels.map(({ level, xs, ys }) => ({ level, xs: bytesOf(xs), ys: bytesOf(ys) }));
    await ctx.objects.put(centresKey, encode(PatchCentres, { levels: centres }), { ifAbsent: true });
    return encode(ExtractRecord, {
      levels: levels.map(({ level, labels: patchLabels }) => ({ level, labels: Buffer.from(patchLabels) })),
      shortfalls: shortfalls.map((entry) => toProto(imageId, entry)),
      maskKind: MASK_KINDS[readAs],
      nuclei: BigInt(nuclei),
      centresKey,
    });
  },
});

/** Returns what is sampled from: pixels are read where they decide what is background. */
const readAnnotated = async (images: ImageStore, imageId: string, annotation: Annotation) => {
  if (annotation === "complete") {
    const { width, height } = await images.describe(imageId, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    return { annotation, image: { width, height } };
  }
  const { width, height, readRegion } = await images.open(imageId);
  return { annotation, image: await readRegion({ x: 0, y: 0, width, height }) };
};

const countsOf = (sampling: Sampling | undefined): SampleCounts =>
  sampling ?? { positive: 0, edge: 0, background: 0, nucleus: 0, mixed: 0, none: 0 };

const toProto = (imageId: string, { level, kind, wanted, found }: Shortfall) => ({
  imageId,
  level,
  kind,
  wanted: BigInt(wanted),
  found: BigInt(found),
});
