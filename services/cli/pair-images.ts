/** @file The user's files: which mask belongs to which image, and which patient an image is of. */
import { constants } from "node:buffer";
import { open, stat } from "node:fs/promises";
import { basename, extname, resolve, sep } from "node:path";
import { glob, isDynamicPattern } from "tinyglobby";
import { DomainError, invalid } from "../lib/errors.ts";

const READ_BYTES = 2 ** 30;
const EXTENSIONS = new Set([".png", ".tif", ".tiff", ".jpg", ".jpeg"]);

/** An annotated image as the user's files have it. */
export interface PairedImage {
  /** The image's name without `_original` and extension; results carry it. */
  readonly stem: string;
  readonly imagePath: string;
  readonly maskPath: string;
  readonly patient: string;
}

/** Returns a failure as one that names the file it is about, any other error as it is. */
export const aboutFile = (path: string, error: unknown): unknown =>
  error instanceof DomainError
    ? new DomainError(error.kind, error.reason, `"${path}": ${error.message}`, { cause: error })
    : error;

/** Returns a file's name without its extension; letters with accents have two spellings in Unicode, of which some systems write one and some the other. */
const nameOf = (path: string): string => basename(path, extname(path)).normalize("NFC");

/** Returns the name that pairs files: without extension and without a trailing `_original` or `_mask`. */
export const stemOf = (path: string): string => nameOf(path).replace(/_(original|mask)$/, "");

/** Returns the files that a pattern stands for. A name with brackets or the like that is there as it stands is that file or folder. */
async function expand(pattern: string): Promise<string[]> {
  const found = await stat(pattern).catch(() => undefined);
  if (found?.isFile()) return [resolve(pattern)];
  if (found?.isDirectory()) return glob("**/*", { cwd: pattern, absolute: true });
  return glob(sep === "\\" ? pattern.replaceAll("\\", "/") : pattern, { absolute: true });
}

/** Returns the image files that a glob, a file or a folder stands for, sorted. Throws FILES_NOT_FOUND. */
export async function findFiles(pattern: string, option: string): Promise<string[]> {
  const found = await expand(pattern);
  const images = found.filter((path) => EXTENSIONS.has(extname(path).toLowerCase())).sort();
  if (images.length > 0) return images;
  const why = (): string => {
    if (found.length > 0) return `it stands for ${found.length} files, none of them PNG, TIFF or JPEG`;
    if (!isDynamicPattern(pattern)) return "there is no such file, or the folder is empty";
    return "it matches no file; quote the pattern so that the shell leaves it alone";
  };
  throw invalid("FILES_NOT_FOUND", `Cannot use ${option} "${pattern}": ${why()}`);
}

function byStem(paths: readonly string[], option: string): Map<string, string> {
  const known = new Map<string, string>();
  for (const path of paths) {
    const stem = stemOf(path);
    const other = known.get(stem);
    if (other !== undefined) {
      throw invalid(
        "NAME_COLLISION",
        `Cannot tell "${other}" and "${path}" apart: both of ${option} are called "${stem}"; rename one, or give a pattern that leaves one out, for instance "data/*_original.png"`,
      );
    }
    known.set(stem, path);
  }
  return known;
}

/** Returns the rule that says which patient a path belongs to. Throws PATIENT_RULE_INVALID, and when asked, PATIENT_UNKNOWN. */
export function patientRule(rule: string): (path: string) => string {
  if (rule === "file") return stemOf;
  if (rule === "prefix") {
    return (path) => {
      const [patient = "", ...rest] = nameOf(path).split("_");
      if (rest.length > 0 && patient !== "") return patient;
      const cure =
        'use --patient file (every image its own patient), or --patient with a regular expression, for instance "([^/]+)/[^/]+$" for the folder\'s name';
      throw invalid(
        "PATIENT_UNKNOWN",
        `Cannot tell the patient of "${path}": its name has no part before an underscore; ${cure}`,
      );
    };
  }
  let pattern: RegExp;
  try {
    pattern = new RegExp(rule);
  } catch (error) {
    throw invalid(
      "PATIENT_RULE_INVALID",
      `Cannot use --patient "${rule}": it is neither "prefix" nor "file" nor a regular expression`,
      error,
    );
  }
  return (path) => {
    const match = pattern.exec(path.replaceAll("\\", "/").normalize("NFC"));
    const patient = match?.[1] ?? match?.[0] ?? "";
    if (patient !== "") return patient;
    throw invalid(
      "PATIENT_UNKNOWN",
      `Cannot tell the patient of "${path}": --patient "${rule}" does not match its path`,
    );
  };
}

/** Returns every image with its mask and patient, by stem. Throws MASK_MISSING, NAME_COLLISION and what the parts throw. */
export async function pairImages(
  images: string,
  masks: string,
  patient: string,
): Promise<{ readonly pairs: PairedImage[]; readonly unusedMasks: number }> {
  const patientOf = patientRule(patient);
  const imagePaths = byStem(await findFiles(images, "--images"), "--images");
  const maskPaths = byStem(await findFiles(masks, "--masks"), "--masks");
  const missing = [...imagePaths].filter(([stem]) => !maskPaths.has(stem)).map(([, path]) => path);
  if (missing.length > 0) {
    const shown = missing
      .slice(0, 3)
      .map((path) => `"${path}"`)
      .join(", ");
    throw invalid(
      "MASK_MISSING",
      `Cannot find a mask for ${missing.length} of ${imagePaths.size} images (${shown}): a mask has its image's name, with _mask or in another folder`,
    );
  }
  const pairs = [...imagePaths].map(([stem, imagePath]) => ({
    stem,
    imagePath,
    maskPath: maskPaths.get(stem) ?? "",
    patient: patientOf(imagePath),
  }));
  return { pairs: pairs.sort((a, b) => (a.stem < b.stem ? -1 : 1)), unusedMasks: maskPaths.size - pairs.length };
}

/** Returns a file's bytes. Throws FILE_UNREADABLE naming it. */
export async function readUserFile(path: string): Promise<Uint8Array> {
  const unreadable = (cause: unknown): never => {
    throw invalid("FILE_UNREADABLE", `Cannot read "${path}": check that it exists and that you may read it`, cause);
  };
  const file = await open(path).catch(unreadable);
  try {
    const { size } = await file.stat();
    if (size > constants.MAX_LENGTH)
      throw invalid("FILE_UNREADABLE", `Cannot read "${path}": it has ${size} bytes, over ${constants.MAX_LENGTH}`);
    // readFile takes no more than 2 GiB.
    const bytes = Buffer.allocUnsafeSlow(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(READ_BYTES, size - at)).catch(unreadable);
      if (bytesRead === 0) return unreadable(new Error(`it ends after ${at} of ${size} bytes`));
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
