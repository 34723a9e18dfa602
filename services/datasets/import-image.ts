/** @file ImportImage: a file goes into the store under the hash of its bytes, after a look at whether it can be used. */
import { invalid } from "../lib/errors.ts";
import { describeImage, describeMask, LARGE_IMAGE_PIXELS } from "../lib/images/describe-image.ts";
import { toTiledTiff } from "../lib/images/tiled-tiff.ts";
import { objectKey } from "../lib/objects/object-key.ts";
import type { ObjectStore } from "../lib/objects/object-store.ts";
import { type ImportImageRequest, type ImportImageResponse, ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import { ImageDescription } from "../lib/proto/radhical/v1/work.ts";
import { shortId } from "../lib/service/content-id.ts";
import { encode } from "../lib/service/documents.ts";
import { receiveUpload } from "../lib/service/files.ts";
import { descriptionKey } from "../lib/service/image-store.ts";

export interface ImportContext {
  readonly objects: ObjectStore;
  readonly config: { readonly limits: { readonly uploadBytes: number; readonly imagePixels: number } };
}

/** Returns the handler of ImportImage. */
export const importImage =
  (ctx: ImportContext) =>
  async (parts: AsyncIterable<ImportImageRequest>): Promise<ImportImageResponse> => {
    let known: ImageDescription | undefined;
    const { header, bytes } = await receiveUpload(parts, ctx.config.limits.uploadBytes, async ({ sha256, purpose }) => {
      if (purpose !== ImportPurpose.IMPORT_PURPOSE_IMAGE && purpose !== ImportPurpose.IMPORT_PURPOSE_MASK) {
        throw invalid(
          "PURPOSE_MISSING",
          "Cannot import a file whose header does not say whether it is an image or a mask",
        );
      }
      const found = await ctx.objects.find(descriptionKey(shortId(sha256), purpose));
      known = found && ImageDescription.decode(found.bytes);
      return known !== undefined;
    });
    const imageId = shortId(header.sha256);
    const alreadyPresent = known !== undefined;
    const description = known ?? (await store(ctx, imageId, header.purpose, bytes ?? new Uint8Array()));
    return { imageId, width: description.width, height: description.height, alreadyPresent };
  };

async function store(
  ctx: ImportContext,
  imageId: string,
  purpose: ImportPurpose,
  bytes: Uint8Array,
): Promise<ImageDescription> {
  const limits = { maxPixels: ctx.config.limits.imagePixels };
  const { width, height, tiled, stainDensity } =
    purpose === ImportPurpose.IMPORT_PURPOSE_MASK
      ? { ...(await describeMask(bytes, limits)), stainDensity: undefined }
      : await describeImage(bytes, limits);
  const sourceKey = objectKey("images", imageId, "source");
  await ctx.objects.put(sourceKey, bytes, { ifAbsent: true });
  // A large image is stored once more in tiles, so that a tile of work never decodes the whole.
  const wantsTiles = purpose === ImportPurpose.IMPORT_PURPOSE_IMAGE && width * height > LARGE_IMAGE_PIXELS && !tiled;
  const pixelsKey = wantsTiles ? objectKey("images", imageId, "tiled") : sourceKey;
  // A description of another normalisation is gone from view, the tiles of the same bytes are not.
  if (wantsTiles && !(await ctx.objects.head(pixelsKey)))
    await ctx.objects.put(pixelsKey, await toTiledTiff(bytes), { ifAbsent: true });
  const description = { width, height, pixelsKey, stainDensity };
  // Last, so that whoever finds a description finds the pixels too.
  await ctx.objects.put(descriptionKey(imageId, purpose), encode(ImageDescription, description), { ifAbsent: true });
  return description;
}
