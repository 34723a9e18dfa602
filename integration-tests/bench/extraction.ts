/** @file A unit of extraction, as its worker does it, against decoding the image and its mask alone, which no extraction can do without. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { openCutters } from "../../services/extraction/cutters.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import { decodeMask } from "../../services/lib/images/mask.ts";
import type { Annotation } from "../../services/lib/method/image.ts";
import { DEFAULT_COUNTS } from "../../services/lib/method/sampling.ts";
import { openFolderStore } from "../../services/lib/objects/folder-store.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, timed } from "./measure.ts";

const SIDE_PX = 512;
const REDUCTIONS = [1, 2, 4, 10];
/** Of each piece in a round: a single one takes 10 ms. */
const IMAGES = 10;

/** Synthetic tissue in files as tnbc's: an RGBA PNG with filtered rows, 0.5 MB, and a mask of 0 and 255. */
const makeFiles = async () => {
  const { image, labels } = makeTissue({ width: SIDE_PX, height: SIDE_PX, seed: 1 });
  const raw = { width: SIDE_PX, height: SIDE_PX, channels: 3 } as const;
  const imageFile = sharp(image.data, { raw }).ensureAlpha().png({ adaptiveFiltering: true }).toBuffer();
  const mask = Uint8Array.from(labels, (label) => (label > 0 ? 255 : 0));
  const maskFile = encodePng({ width: SIDE_PX, height: SIDE_PX, channels: 1, data: mask });
  return { imageFile: await imageFile, maskFile: await maskFile };
};

export const extraction: Benchmark = {
  name: "extraction",
  unit: "image",
  ratios: [
    { name: "extraction takes / decoding", of: "decode and extract", to: "decode", by: "seconds" },
    { name: "  sparse annotation", of: "decode and extract, sparse", to: "decode", by: "seconds" },
    { name: "  with hashing and storing", of: "decode, extract, hash and store", to: "decode", by: "seconds" },
  ],
  open: async () => {
    const { imageFile, maskFile } = await makeFiles();
    const folder = await mkdtemp(join(tmpdir(), "radhical-bench-"));
    const objects = await openFolderStore(folder);
    const cutters = openCutters();
    const decode = async () => {
      const source = await openImage(imageFile);
      const image = await source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
      const { labels, kind: maskKind } = await decodeMask(maskFile, "auto");
      return { image, labels, maskKind };
    };
    const extract = async (annotation: Annotation, store: (shard: Uint8Array, level: number) => Promise<unknown>) => {
      const settings = {
        annotation,
        reductions: REDUCTIONS,
        counts: DEFAULT_COUNTS[annotation],
        seed: 1,
        imageId: "bench",
      };
      await cutters.cut({ ...(await decode()), ...settings }, ({ level }, shard) => store(shard, level));
    };
    const drop = async (): Promise<void> => undefined;
    const put = (shard: Uint8Array, level: number) => objects.put(`patches/level-${level}.tar`, shard);
    const repeated = (work: () => Promise<unknown>) =>
      timed(IMAGES, async () => {
        for (let i = 0; i < IMAGES; i++) await work();
      });
    return {
      round: async () => ({
        decode: await repeated(decode),
        "decode and extract": await repeated(() => extract("complete", drop)),
        "decode and extract, sparse": await repeated(() => extract("sparse", drop)),
        "decode, extract, hash and store": await repeated(() => extract("complete", put)),
      }),
      close: async () => {
        await cutters.stop();
        await objects.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};
