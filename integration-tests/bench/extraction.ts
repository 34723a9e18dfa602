/** @file Patches of all levels of an image against decoding the image and its mask alone, which no extraction can do without. */
import { encodeLabelPng, encodePng } from "../../services/lib/images/encode-png.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import { decodeMask } from "../../services/lib/images/mask.ts";
import { reduceImage } from "../../services/lib/method/levels.ts";
import { cutPatches } from "../../services/lib/method/patches.ts";
import { DEFAULT_COUNTS, sampleCentres } from "../../services/lib/method/sampling.ts";
import { makeTissue } from "../synthetic-tissue.ts";
import { type Benchmark, timed } from "./measure.ts";

const SIDE_PX = 512;
const REDUCTIONS = [1, 2, 4, 10];

export const extraction: Benchmark = {
  name: "extraction",
  unit: "image",
  ratios: [{ name: "extraction takes / decoding", of: "decode and extract", to: "decode", by: "seconds" }],
  open: async () => {
    const { image, labels } = makeTissue({ width: SIDE_PX, height: SIDE_PX, seed: 1 });
    const imageFile = await encodePng({ ...image, channels: 3 });
    const maskFile = await encodeLabelPng(SIDE_PX, SIDE_PX, labels);
    const decode = async () => {
      const source = await openImage(imageFile);
      const whole = await source.readRegion({ x: 0, y: 0, width: source.width, height: source.height });
      return { whole, mask: await decodeMask(maskFile, "auto") };
    };
    const extract = async (): Promise<void> => {
      const { whole, mask } = await decode();
      const { levels } = sampleCentres({
        image: whole,
        labels: mask.labels,
        annotation: "complete",
        reductions: REDUCTIONS,
        counts: DEFAULT_COUNTS,
        seed: 1,
        imageId: "bench",
      });
      for (const { reduction, kinds } of levels) {
        const level = reduceImage(whole, reduction);
        for (const centres of kinds) cutPatches(level, centres);
      }
    };
    return {
      round: async () => ({ decode: await timed(1, decode), "decode and extract": await timed(1, extract) }),
      close: async () => undefined,
    };
  },
};
