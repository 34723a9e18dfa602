/** @file The laboratory's images: annotated, of known patients, their stain normalised as the product does. */
import { readFile } from "node:fs/promises";
import { pairImages } from "../../services/cli/pair-images.ts";
import { openImage } from "../../services/lib/images/image-source.ts";
import { decodeMask } from "../../services/lib/images/mask.ts";
import type { LabelPlane, MaskKind, RgbImage } from "../../services/lib/method/image.ts";
import { normalisationTable, normalise, stainDensity } from "../../services/lib/method/normalisation.ts";

/** An image and its annotation. */
export interface LabImage {
  readonly stem: string;
  readonly patient: string;
  readonly image: RgbImage;
  readonly labels: LabelPlane;
  readonly kind: MaskKind;
}

/** Returns the images that a pattern stands for, sorted by name. */
export async function readCohort(images: string, masks: string): Promise<LabImage[]> {
  const { pairs } = await pairImages(images, masks, "prefix");
  const cohort = pairs.map(async ({ stem, patient, imagePath, maskPath }): Promise<LabImage> => {
    const source = await openImage(await readFile(imagePath));
    const { width, height } = source;
    const image = await source.readRegion({ x: 0, y: 0, width, height });
    const { labels, kind } = await decodeMask(await readFile(maskPath), "auto");
    return { stem, patient, image: normalise(image, normalisationTable(stainDensity(image))), labels, kind };
  });
  return (await Promise.all(cohort)).sort((a, b) => a.stem.localeCompare(b.stem));
}
