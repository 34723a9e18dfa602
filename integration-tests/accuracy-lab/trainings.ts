/** @file What a training of the laboratory left in its folder. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { invalid } from "../../services/lib/errors.ts";

const Training = z.object({
  learn: z.array(z.string()),
  loss: z.number(),
  settings: z.object({ level: z.int(), reductions: z.array(z.int()) }),
});
type Training = z.output<typeof Training>;

/**
 * Returns whom a training learnt from, its last loss and its level; of several folders with "+" between them, their mean loss. Throws
 * TRAININGS_INVALID where these learnt from different patients, or at different levels: some would be graded on patients they know.
 */
export async function readTraining(folders: string): Promise<Training> {
  const read = membersOf(folders).map(async (folder) => readFile(join(folder, "settings.json"), "utf8"));
  const members = (await Promise.all(read)).map((text) => Training.parse(JSON.parse(text)));
  const kinds = members.map(({ learn, settings }) => JSON.stringify([[...learn].sort(), settings]));
  if (new Set(kinds).size > 1)
    throw invalid("TRAININGS_INVALID", `Cannot take the mean of "${folders}": they differ in patients or level`);
  return { ...members[0]!, loss: members.reduce((sum, { loss }) => sum + loss, 0) / members.length };
}

/** Returns the maps of an image, float32 [3, h, w]; of several folders with "+" between them, their mean. */
export async function readMaps(folders: string, stem: string): Promise<Float32Array> {
  const members = await Promise.all(membersOf(folders).map((folder) => readOwnMaps(folder, stem)));
  return members[0]!.map((_, i) => members.reduce((sum, maps) => sum + maps[i]!, 0) / members.length);
}

const membersOf = (folders: string): string[] => folders.split("+");

async function readOwnMaps(folder: string, stem: string): Promise<Float32Array> {
  return new Float32Array(Uint8Array.from(await readFile(join(folder, `${stem}.maps`))).buffer);
}
