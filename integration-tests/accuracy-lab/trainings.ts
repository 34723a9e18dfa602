/** @file What a training of the laboratory left in its folder. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const Training = z.object({
  learn: z.array(z.string()),
  loss: z.number(),
  settings: z.object({ level: z.int(), reductions: z.array(z.int()) }),
});
type Training = z.output<typeof Training>;

/** Returns whom a training learnt from, its last loss and its level. */
export async function readTraining(folder: string): Promise<Training> {
  return Training.parse(JSON.parse(await readFile(join(folder, "settings.json"), "utf8")));
}

/** Returns the maps of an image: float32 [3, h, w]. */
export async function readMaps(folder: string, stem: string): Promise<Float32Array> {
  return new Float32Array(Uint8Array.from(await readFile(join(folder, `${stem}.maps`))).buffer);
}
