/** @file Imported images by id: what is known of them, their pixels, their masks. */
import { LRUCache } from "lru-cache";
import { DomainError } from "../errors.ts";
import { type ImageSource, openImage } from "../images/image-source.ts";
import { type DecodedMask, decodeMask, type MaskInterpretation } from "../images/mask.ts";
import { NORMALISATION, normalisationTable, normalise } from "../method/normalisation.ts";
import { objectKey } from "../objects/object-key.ts";
import type { ObjectStore } from "../objects/object-store.ts";
import { ImportPurpose, MaskKind } from "../proto/radhical/v1/datasets.ts";
import { ImageDescription } from "../proto/radhical/v1/work.ts";
import { isId } from "./content-id.ts";

const CACHE_BYTES = 512 * 2 ** 20;
const PURPOSE_NAME: Partial<Record<ImportPurpose, string>> = {
  [ImportPurpose.IMPORT_PURPOSE_IMAGE]: "image",
  [ImportPurpose.IMPORT_PURPOSE_MASK]: "mask",
};
const INTERPRETATION: Partial<Record<MaskKind, MaskInterpretation>> = {
  [MaskKind.MASK_KIND_AUTO]: "auto",
  [MaskKind.MASK_KIND_BINARY]: "binary",
  [MaskKind.MASK_KIND_LABELS]: "labels",
};

/** Returns the key of what is known of a file that was imported for a purpose; of an image that is what its pixels are normalised by. */
export const descriptionKey = (id: string, purpose: ImportPurpose): string =>
  objectKey(
    "images",
    id,
    purpose === ImportPurpose.IMPORT_PURPOSE_MASK ? "mask" : `image-${NORMALISATION.replaceAll(" ", "-")}`,
  );

export interface ImageStore {
  /** Returns what is known of an imported file. Throws notFound IMAGE_NOT_FOUND. */
  describe(id: string, purpose: ImportPurpose): Promise<ImageDescription>;
  /** Returns an image to read regions from, its stain normalised; the last few stay in memory. */
  open(id: string): Promise<ImageSource>;
  mask(id: string, kind: MaskKind): Promise<DecodedMask>;
}

const openNormalised = async (
  bytes: Uint8Array,
  { stainDensity }: ImageDescription,
  maxPixels: number,
): Promise<ImageSource> => {
  if (!stainDensity) return openImage(bytes, { maxPixels });
  const table = normalisationTable(stainDensity);
  return openImage(bytes, { maxPixels }, (image) => normalise(image, table));
};

/** Returns the images of an object store. */
export function createImageStore(objects: ObjectStore, maxPixels: number): ImageStore {
  const sources = new LRUCache<string, Promise<ImageSource>>({ maxSize: CACHE_BYTES });
  /** Images of which it is not known yet how much memory they take. */
  const opening = new Map<string, Promise<ImageSource>>();
  const describe: ImageStore["describe"] = async (id, purpose) => {
    const found = isId(id) ? await objects.find(descriptionKey(id, purpose)) : undefined;
    if (found) return ImageDescription.decode(found.bytes);
    throw new DomainError(
      "notFound",
      "IMAGE_NOT_FOUND",
      `Cannot find ${PURPOSE_NAME[purpose]} "${id}"; import it first`,
    );
  };
  const open = async (id: string): Promise<ImageSource> => {
    const description = await describe(id, ImportPurpose.IMPORT_PURPOSE_IMAGE);
    const { width, height } = description;
    const source = objects.get(description.pixelsKey).then((bytes) => openNormalised(bytes, description, maxPixels));
    sources.set(id, source, { size: Math.min(width * height * 3, CACHE_BYTES) });
    source.catch(() => sources.delete(id));
    return source;
  };
  return {
    describe,
    open: (id) => {
      const known = sources.get(id) ?? opening.get(id);
      if (known) return known;
      const opened = open(id).finally(() => opening.delete(id));
      opening.set(id, opened);
      return opened;
    },
    mask: async (id, kind) => {
      const { pixelsKey } = await describe(id, ImportPurpose.IMPORT_PURPOSE_MASK);
      return decodeMask(await objects.get(pixelsKey), INTERPRETATION[kind] ?? "auto");
    },
  };
}
