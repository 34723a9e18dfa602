/**
 * @file Extraction of an image, as its worker does it, against decoding the image and its mask alone; and what cutting the patches of all
 * levels adds when databases are built.
 */
import sharp from "sharp";
import { openCutters } from "../../services/datasets/cutters.ts";
import { openSamplers } from "../../services/extraction/samplers.ts";
import { encodePng } from "../../services/lib/images/encode-png.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import { decodeMask } from "../../services/lib/images/mask.ts";
import type { Annotation } from "../../services/lib/method/image.ts";
import { DEFAULT_COUNTS } from "../../services/lib/method/sampling.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, timed } from "./measure.ts";

const SIDE_PX = 512;
const REDUCTIONS = [1, 2, 4, 10];
/** Of each piece in a round: a single one takes 10 to 20 ms, and differs. */
const IMAGES = 30;

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
    { name: "extraction takes / decoding", of: "extract", to: "decode", by: "seconds" },
    { name: "  sparse annotation", of: "extract, sparse", to: "decode", by: "seconds" },
    { name: "  with the patches cut, as for databases", of: "extract and cut", to: "decode", by: "seconds" },
  ],
  open: async () => {
    const { imageFile, maskFile } = await makeFiles();
    const [samplers, cutters] = [openSamplers(), openCutters()];
    const decodeImage = async () => {
      const source = await openImage(imageFile);
      return source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
    };
    const decode = async () => ({ image: await decodeImage(), mask: await decodeMask(maskFile, "auto") });
    // complete annotation needs the image's size alone, which is known since its import
    const size = { width: SIDE_PX, height: SIDE_PX };
    const extract = async (annotation: Annotation) => {
      const { labels, kind: maskKind } = await decodeMask(maskFile, "auto");
      const settings = { reductions: REDUCTIONS, counts: DEFAULT_COUNTS[annotation], seed: 1, imageId: "bench" };
      const annotated =
        annotation === "complete" ? { annotation, image: size } : { annotation, image: await decodeImage() };
      const question = { ...annotated, labels, maskKind, ...settings };
      return samplers.lend((sampler) => sampler.ask(question, [labels.buffer]));
    };
    const extractAndCut = async () => {
      const { levels } = await extract("complete");
      const image = await decodeImage();
      await cutters.lend(async (cutter) => {
        for (const [i, reduction] of REDUCTIONS.entries()) await cutter.ask({ image, reduction, centres: levels[i]! });
      });
    };
    const repeated = (work: () => Promise<unknown>) =>
      timed(IMAGES, async () => {
        for (let i = 0; i < IMAGES; i++) await work();
      });
    return {
      round: async () => ({
        decode: await repeated(decode),
        extract: await repeated(() => extract("complete")),
        "extract, sparse": await repeated(() => extract("sparse")),
        "extract and cut": await repeated(extractAndCut),
      }),
      close: async () => {
        await Promise.all([samplers.stop(), cutters.stop()]);
      },
    };
  },
};
