/** @file The files that a segmentation gives for an image, in a folder of the user's beside whatever else lies there. */
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../lib/errors.ts";
import { isResultPng, RESULT_HEAD_BYTES } from "../lib/images/result-png.ts";
import type { Services } from "./services.ts";
import { entriesOf, inside, receiveFiles } from "./transfer.ts";

const RESULT = /^(.*)_(prob|mask|level)\.png$/s;

/** Returns what lies in a folder under a result's name, with its image's stem; nothing where there is no such folder. */
async function namedAsResults(folder: string): Promise<{ readonly name: string; readonly stem: string }[]> {
  const entries = await entriesOf(folder);
  return entries.flatMap(({ name }) => {
    const stem = RESULT.exec(name)?.[1];
    return stem === undefined ? [] : [{ name, stem }];
  });
}

/** Returns whether a file is a result that we wrote: of a user's own there may be one with such a name, an annotation for instance. */
export async function isResult(path: string): Promise<boolean> {
  const file = await open(path).catch(() => undefined);
  if (!file) return false; // a folder, or nothing that may be read
  const head = Buffer.alloc(RESULT_HEAD_BYTES);
  const { bytesRead } = await file.read(head, 0, head.length).catch(() => ({ bytesRead: 0 }));
  await file.close();
  return isResultPng(head.subarray(0, bytesRead));
}

/** Checks that results of images with these stems would replace nothing but results. Throws RESULT_TAKEN. */
export async function checkResultsFit(folder: string, stems: ReadonlySet<string>): Promise<void> {
  for (const { name, stem } of await namedAsResults(folder)) {
    if (!stems.has(stem) || (await isResult(join(folder, name)))) continue;
    throw invalid(
      "RESULT_TAKEN",
      `Cannot write results to "${folder}": "${name}" lies there, was not written by radhical, and would be replaced; give another --out`,
    );
  }
}

/** Receives the results of a segmentation, named by their images' stems. */
export async function receiveResults(
  { segmentation }: Services,
  segmentationId: string,
  folder: string,
  stemOf: (imageId: string) => string,
): Promise<void> {
  const place = inside(folder);
  await receiveFiles(segmentation.fetchResult({ segmentationId, imageIds: [] }), (path) =>
    place(path.replace(/^[0-9a-f]{32}/, stemOf)),
  );
}

/** Removes results of images that are not among those with these stems: an earlier run with other options left them. */
export async function removeOtherResults(folder: string, stems: ReadonlySet<string>): Promise<void> {
  for (const { name, stem } of await namedAsResults(folder)) {
    const path = join(folder, name);
    if (!stems.has(stem) && (await isResult(path))) await rm(path, { force: true });
  }
}
