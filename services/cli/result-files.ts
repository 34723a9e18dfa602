/** @file The files that a segmentation gives for an image, in a folder of the user's beside whatever else lies there. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../lib/errors.ts";
import type { Services } from "./services.ts";
import { entriesOf, inside, receiveFiles } from "./transfer.ts";

const RESULT = /^(.*)_(prob|mask|level)\.png$/s;

/** Returns the kinds of results that lie in a folder, by the image's stem; nothing where there is no such folder. */
async function resultsIn(folder: string): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for (const { name } of await entriesOf(folder)) {
    const [, stem, kind] = RESULT.exec(name) ?? [];
    if (stem === undefined || kind === undefined) continue;
    found.set(stem, (found.get(stem) ?? new Set()).add(kind));
  }
  return found;
}

/** An annotation is called as our masks are, and lies alone; ours come after their probabilities. */
const isForeign = (kinds: ReadonlySet<string>): boolean => kinds.has("mask") && !kinds.has("prob");

/** Checks that results of images with these stems would replace nothing but results. Throws RESULT_TAKEN. */
export async function checkResultsFit(folder: string, stems: Iterable<string>): Promise<void> {
  const found = await resultsIn(folder);
  for (const stem of stems) {
    const kinds = found.get(stem);
    if (!kinds || !isForeign(kinds)) continue;
    throw invalid(
      "RESULT_TAKEN",
      `Cannot write results to "${folder}": "${stem}_mask.png" lies there and is not one (there is no "${stem}_prob.png" beside it), and it would be replaced; give another --out`,
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
  for (const [stem, kinds] of await resultsIn(folder)) {
    if (stems.has(stem) || isForeign(kinds)) continue;
    for (const kind of kinds) await rm(join(folder, `${stem}_${kind}.png`), { force: true });
  }
}
