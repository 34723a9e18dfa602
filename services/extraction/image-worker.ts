/** @file Cuts the patches of one image: one shard per level. */
import type { RgbImage } from "../lib/method/image.ts";
import { reduceImage } from "../lib/method/levels.ts";
import { cutPatches, PATCH_BYTES } from "../lib/method/patches.ts";
import { type LevelCentres, sampleCentres } from "../lib/method/sampling.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { patchNames } from "../lib/patches/patch-names.ts";
import { writeShard } from "../lib/patches/patch-shard.ts";
import { ExtractRecord, ExtractTask } from "../lib/proto/radhical/v1/work.ts";
import { contentId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import type { ImageStore } from "../lib/service/image-store.ts";
import type { UnitHandler } from "../lib/service/jobs/worker.ts";
import { annotationWord } from "../lib/service/method-words.ts";
import { IMAGE_TOPIC } from "./extract.ts";

export interface ImageWorkerContext {
  readonly objects: ObjectStore;
  readonly images: ImageStore;
}

/** Returns the worker of extract jobs. Decoding overlaps with cutting, so two images are in hand at a time. */
export const imageWorker = (ctx: ImageWorkerContext): UnitHandler<ExtractTask> => ({
  topics: [IMAGE_TOPIC],
  members: 2,
  codec: ExtractTask,
  handle: async (task, unit) => {
    const { imageId, maskId, maskKind, sampling } = task;
    const source = await ctx.images.open(imageId);
    const { labels } = await ctx.images.mask(maskId, maskKind);
    const image = await source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
    const annotation = annotationWord(task.annotation);
    const reductions = sampling?.reductions ?? [];
    const seed = String(sampling?.seed ?? 0n);
    const counts = sampling ?? { positive: 0, edge: 0, background: 0, nucleus: 0, mixed: 0, none: 0 };
    const { levels, shortfalls } = sampleCentres({ image, labels, annotation, reductions, counts, seed, imageId });
    const record: ExtractRecord = {
      levels: [],
      shortfalls: shortfalls.map(({ level, kind, wanted, found }) => ({
        imageId,
        level,
        kind,
        wanted: BigInt(wanted),
        found: BigInt(found),
      })),
    };
    const folder = objectKey("patches", contentId(ExtractTask.encode(task).finish()));
    for (const level of levels) {
      const shardKey = objectKey(folder, `level-${level.level}.tar`);
      const { labels: patchLabels, shard } = cutLevel(image, imageId, level);
      await ctx.objects.put(shardKey, shard, { ifAbsent: true });
      record.levels.push({ level: level.level, labels: Buffer.from(patchLabels), shardKey });
      await unit.progress();
    }
    return encode(ExtractRecord, record);
  },
});

function cutLevel(
  image: RgbImage,
  imageId: string,
  { reduction, kinds }: LevelCentres,
): { labels: Uint8Array; shard: Uint8Array } {
  const levelImage = reduction === 1 ? image : reduceImage(image, reduction);
  const xs = kinds.flatMap((kind) => [...kind.xs]);
  const ys = kinds.flatMap((kind) => [...kind.ys]);
  const labels = Uint8Array.from(kinds.flatMap((kind) => new Array<number>(kind.xs.length).fill(kind.label)));
  const pixels = cutPatches(levelImage, { xs, ys });
  const patches = [...patchNames(imageId, labels)].map(({ name, label }, n) => ({
    name,
    label,
    pixels: pixels.subarray(n * PATCH_BYTES, (n + 1) * PATCH_BYTES),
  }));
  return { labels, shard: writeShard(patches) };
}
