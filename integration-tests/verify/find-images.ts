/** @file Which files of a folder are images to verify on. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { glob } from "tinyglobby";
import { DomainError } from "../../services/lib/errors.ts";
import { describeImage } from "../../services/lib/images/describe-image.ts";

/** Every level of an image is computed several times over and held in memory. */
const MAX_PIXELS = 4_000_000;
/** A folder or a file called so holds annotation: "GT_01/", "masks/", "p1_mask.png", "labels.tif". */
const ANNOTATION = /(^|[/_\-. ])(gt|masks?|labels?|annotations?|ground[_-]?truth)([/_\-. ]|$)/i;

export interface FoundImages {
  /** Spread evenly over the folder's files in order of their names. */
  readonly chosen: readonly { readonly name: string; readonly path: string }[];
  /** Images that would do. */
  readonly usable: number;
  /** Other PNG and TIFF files: annotation, grey, unreadable or too large. */
  readonly others: number;
}

/** Returns at most `limit` images of a folder and its folders: PNG or TIFF, in colour, of at most 4 Mpixel, no annotation. */
export async function findImages(folder: string, limit: number): Promise<FoundImages> {
  const names = (await glob("**/*.{png,tif,tiff,PNG,TIF,TIFF}", { cwd: folder })).sort();
  const usable: string[] = [];
  for (const name of names) if (!ANNOTATION.test(name) && (await isColour(join(folder, name)))) usable.push(name);
  const count = Math.min(limit, usable.length);
  const spread = Array.from({ length: count }, (_, i) => usable[Math.floor((i * usable.length) / count)]!);
  return {
    chosen: spread.map((name) => ({ name, path: join(folder, name) })),
    usable: usable.length,
    others: names.length - usable.length,
  };
}

async function isColour(path: string): Promise<boolean> {
  try {
    const { channels } = await describeImage(await readFile(path), { maxPixels: MAX_PIXELS });
    return channels >= 3;
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
}
