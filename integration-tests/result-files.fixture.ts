/** @file What runs leave behind, in a form that two runs can be compared by. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { ClassicLevel } from "classic-level";
import { z } from "zod";
import { openImage } from "../services/lib/images/image-source.ts";

/** Returns the paths of all files below a folder, relative to it, sorted. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Returns the hashes of the files below a folder whose relative path is wanted. */
export async function hashesBelow(
  folder: string,
  isWanted: (path: string) => boolean = () => true,
): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const path of await filesBelow(folder))
    if (isWanted(path)) hashes[path] = sha256(await readFile(join(folder, path)));
  return hashes;
}

/** Returns how many entries a LevelDB has and a hash of its keys and values in order. */
export async function databaseContent(folder: string): Promise<{ readonly entries: number; readonly sha256: string }> {
  const database = new ClassicLevel<string, Uint8Array>(folder, { valueEncoding: "view", createIfMissing: false });
  await database.open();
  const hash = createHash("sha256");
  let entries = 0;
  for await (const [key, value] of database.iterator()) {
    hash.update(`${key.length}:${key}${value.length}:`).update(value);
    entries++;
  }
  await database.close();
  return { entries, sha256: hash.digest("hex") };
}

/** Says whether a path below a run's folder is a file of a LevelDB; those differ from run to run, their content does not. */
const isDatabaseFile = (path: string): boolean => /^databases\/DB_(train|test)_\d+_\d+\//.test(path);
const isSpeed = (key: string): boolean => key === "seconds" || key === "stepsPerSecond";

/** What two runs of the same arguments must agree in. */
export interface RunResult {
  /** Files that are equal byte for byte: models, manifests, thresholds, lists, masks, mean images, names. */
  readonly files: Readonly<Record<string, string>>;
  readonly databases: Readonly<Record<string, { readonly entries: number; readonly sha256: string }>>;
  /** The report without what is measured in seconds. */
  readonly report: unknown;
}

/** Reads a finished run's folder, its object folder left out. */
export async function readRunResult(out: string): Promise<RunResult> {
  const files = await hashesBelow(
    out,
    (path) => !path.startsWith(".radhical") && !isDatabaseFile(path) && path !== "report.json",
  );
  const databases: Record<string, { entries: number; sha256: string }> = {};
  for (const name of (await readdir(join(out, "databases")))
    .filter((entry) => !entry.endsWith(".binaryproto"))
    .sort()) {
    databases[name] = await databaseContent(join(out, "databases", name));
  }
  const text = await readFile(join(out, "report.json"), "utf8");
  const report: unknown = JSON.parse(text, (key, value: unknown) => (isSpeed(key) ? undefined : value));
  return { files, databases, report };
}

/** What is computed, not when or how fast: these objects of two runs are equal byte for byte. */
const TIMELESS = [
  "cohorts",
  "images",
  "lists",
  "maps",
  "model-files",
  "models",
  "patches",
  "patch-sets",
  "splits",
  "tunings",
];

/** Returns the hashes of a run's objects that hold neither times nor LevelDB files: images, patches, maps, models, thresholds. */
export async function readTimelessObjects(out: string): Promise<Record<string, string>> {
  return hashesBelow(join(out, ".radhical", "objects"), (path) => TIMELESS.includes(path.split("/")[0] ?? ""));
}

/** A PNG's pixels: interleaved RGB, grey thrice. */
export async function readPixels(path: string): Promise<{ width: number; height: number; data: Uint8Array }> {
  const { width, height, readRegion } = await openImage(await readFile(path));
  return { width, height, data: (await readRegion({ x: 0, y: 0, width, height })).data };
}

/** Returns channels of a PNG's header: 1 grey, 3 RGB; and its bits per channel. */
export async function pngKind(path: string): Promise<{ readonly bits: number; readonly channels: number }> {
  const header = await readFile(path);
  // IHDR comes first: bit depth at byte 24, colour type at 25 (0 grey, 2 RGB).
  const channels = { 0: 1, 2: 3 }[header[25] ?? -1] ?? 0;
  return { bits: header[24] ?? 0, channels };
}

const fraction = z.number().min(0).max(1);
const thresholds = z.array(z.number().min(0).nullable());
const levelThresholds = { lower: thresholds, upper: thresholds, final: thresholds };
const count = z.int().min(0);
const grades = z.strictObject({
  detection: fraction,
  f: fraction,
  tpr: fraction,
  ppv: fraction,
  dice: fraction.nullable(),
  objectF1: fraction.nullable(),
  aji: fraction.nullable(),
  pq: fraction.nullable(),
  // Over 1 where the coarser levels decided little: all levels' pixels over those of the finest.
  computeFraction: z.number().positive(),
  seconds: z.number().positive(),
  perLevel: z.array(z.strictObject({ level: z.int().min(1), computed: count, accepted: count, rejected: count })),
});

/** DIR/report.json. */
export const Report = z.strictObject({
  annotation: z.enum(["sparse", "complete"]),
  patches: z.array(z.strictObject({ level: z.int().min(1), patches: count, bytes: count, byClass: z.array(count) })),
  shortfalls: z.array(
    z.strictObject({ image: z.string(), level: z.int().min(1), kind: z.string(), wanted: count, found: count }),
  ),
  training: z.array(
    z.strictObject({
      fold: z.int().min(1),
      level: z.int().min(1),
      members: z.int().min(1),
      iterations: z.int().min(1),
      testAccuracy: fraction,
      stepsPerSecond: z.number().min(0),
    }),
  ),
  thresholds: z.strictObject(levelThresholds),
  greedy: z.strictObject(levelThresholds),
  tradeoff: z
    .array(
      z.strictObject({
        endsAt: z.int().min(1),
        computeFraction: z.number().positive(),
        score: fraction,
        f: fraction,
        ...levelThresholds,
      }),
    )
    .min(1),
  test: z.strictObject({
    naive: grades.extend({ secondsExtrapolated: z.literal(true) }),
    dense: grades,
    cascade: grades,
  }),
  patients: z.strictObject({
    train: z.array(z.string()).min(1),
    validation: z.array(z.string()).min(1),
    test: z.array(z.string()).min(1),
  }),
});
export type Report = z.output<typeof Report>;

/** Reads and checks a run's report. */
export async function readReport(out: string): Promise<Report> {
  return Report.parse(JSON.parse(await readFile(join(out, "report.json"), "utf8")));
}
