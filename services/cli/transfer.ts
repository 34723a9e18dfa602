/** @file Files between the user's folder and the services; nothing is half-written where a reader can see it. */
import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import pLimit from "p-limit";
import { DomainError, invalid } from "../lib/errors.ts";
import { isSystemError } from "../lib/objects/folder-failure.ts";
import type { ImportImageResponse, ImportPurpose } from "../lib/proto/radhical/v1/datasets.ts";
import type { FileChunk } from "../lib/proto/radhical/v1/files.ts";
import { sendUpload } from "../lib/service/files.ts";
import type { Output } from "./output.ts";
import { aboutFile, readUserFile } from "./pair-images.ts";
import type { Services } from "./services.ts";

const UPLOADS_AT_A_TIME = 4;

/** Imports a file of the user's. What the service says of it names the file. */
export async function importFile(
  services: Services,
  path: string,
  purpose: ImportPurpose,
): Promise<ImportImageResponse> {
  const bytes = await readUserFile(path);
  return services.datasets.importImage(sendUpload(bytes, { purpose })).catch((error: unknown) => {
    throw aboutFile(path, error);
  });
}

/** Imports many images, a few at a time; the first that cannot be used ends it. Returns what `importOne` does, in order. */
export async function importEach<Item, Imported>(
  output: Output,
  items: readonly Item[],
  importOne: (item: Item) => Promise<Imported>,
): Promise<Imported[]> {
  const limit = pLimit(UPLOADS_AT_A_TIME);
  let done = 0;
  const importCounted = async (item: Item): Promise<Imported> => {
    const imported = await importOne(item);
    output.progress("import", { done: ++done, total: items.length, unit: "images", detail: "" });
    return imported;
  };
  return limit.map(items, importCounted).catch((error: unknown) => {
    limit.clearQueue(); // one file that cannot be used is enough; the rest need not be read
    throw error;
  });
}

/**
 * Makes the folder that results go to, and sees that files can be written there, before work that takes hours. Throws invalidArgument
 * OUT_UNUSABLE.
 */
export async function openOut(folder: string): Promise<void> {
  const probe = join(folder, ".radhical-probe");
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(probe, "");
    await rm(probe);
  } catch (error) {
    throw unwritable(`--out "${folder}"`, error);
  }
}

/** Returns an error of the file system as one that the user can act on, any other as it is. */
const unwritable = (place: string, thrown: unknown): unknown => {
  if (!(thrown instanceof Error && "syscall" in thrown && "code" in thrown)) return thrown;
  const message = `Cannot write to ${place} (${thrown.message}): see that it is on a disk with room and may be written to, and run the command again; what is finished is not done again`;
  return invalid("OUT_UNUSABLE", message, thrown);
};

/** Where a file is written before it is whole. Always the same place, so that what a kill left there is written over by the next try. */
const unfinished = (path: string): string => `${path}.tmp`;

/** Writes a file whole or not at all. */
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = unfinished(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, data);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unwritable(`"${path}"`, error);
  }
}

/** Receives files; `place` says where each goes. A file appears when it is whole and its hash is right. Returns their paths. */
export async function receiveFiles(
  chunks: AsyncIterable<{ readonly chunk?: FileChunk | undefined }>,
  place: (path: string) => string,
): Promise<string[]> {
  const received: string[] = [];
  let path = "";
  let current:
    | {
        readonly path: string;
        readonly temporary: string;
        readonly file: Awaited<ReturnType<typeof open>>;
        readonly hash: ReturnType<typeof createHash>;
      }
    | undefined;
  try {
    for await (const { chunk } of chunks) {
      if (!chunk) continue;
      if (!current) {
        path = place(chunk.path);
        await mkdir(dirname(path), { recursive: true });
        const temporary = unfinished(path);
        current = { path, temporary, file: await open(temporary, "w"), hash: createHash("sha256") };
      }
      current.hash.update(chunk.data);
      await current.file.writeFile(chunk.data); // goes on where it was, until all is written
      if (!chunk.last) continue;
      await current.file.close();
      if (current.hash.digest("hex") !== chunk.sha256) {
        throw new DomainError(
          "dataLoss",
          "HASH_MISMATCH",
          `Cannot keep "${current.path}": what arrived is not what was sent; run the command again`,
        );
      }
      await rename(current.temporary, current.path);
      received.push(current.path);
      current = undefined;
    }
    if (current)
      throw new DomainError(
        "unavailable",
        "TRANSFER_BROKEN",
        `Cannot keep "${current.path}": it ended early; run the command again`,
      );
    return received;
  } catch (error) {
    throw unwritable(`"${path}"`, error);
  } finally {
    if (current) {
      await current.file.close().catch(() => undefined);
      await rm(current.temporary, { force: true }).catch(() => undefined);
    }
  }
}

/** Returns a place inside `folder` for a path that a service names. Throws PATH_OUTSIDE for one that would leave it. */
export const inside =
  (folder: string) =>
  (path: string): string => {
    const target = resolve(folder, path);
    if (target.startsWith(resolve(folder) + sep)) return target;
    throw new DomainError("dataLoss", "PATH_OUTSIDE", `Cannot write "${path}": it would leave "${folder}"`);
  };

/** Receives folders of files: into a folder beside, from which each takes its place when all have arrived. Returns their paths. */
export async function receiveFolders(
  chunks: AsyncIterable<{ readonly chunk?: FileChunk | undefined }>,
  target: string,
): Promise<string[]> {
  const staging = join(target, ".incoming");
  const tops = new Set<string>();
  try {
    await mkdir(target, { recursive: true });
    await rm(staging, { recursive: true, force: true });
    await receiveFiles(chunks, (path) => {
      const place = inside(staging)(path);
      tops.add(relative(staging, place).split(sep)[0] ?? "");
      return place;
    });
    for (const top of tops) {
      await rm(join(target, top), { recursive: true, force: true });
      await rename(join(staging, top), join(target, top));
    }
    return [...tops].map((top) => join(target, top));
  } catch (error) {
    throw unwritable(`"${target}"`, error);
  } finally {
    await rm(staging, { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Removes from `folder` and below what has one of our names (`ours`) and is not among `kept`: an earlier run with other options left it,
 * and its patients may be on the other side now.
 */
export async function removeOthers(folder: string, ours: RegExp, kept: readonly string[]): Promise<void> {
  const keep = new Set(kept.map((path) => resolve(path)));
  for (const entry of await entriesOf(folder)) {
    const path = resolve(folder, entry.name);
    if (ours.test(entry.name)) {
      if (!keep.has(path)) await rm(path, { recursive: true, force: true });
    } else if (entry.isDirectory()) await removeOthers(path, ours, kept);
  }
}

/** Returns what lies in a folder; nothing where there is no such folder. */
export const entriesOf = (folder: string): Promise<Dirent[]> =>
  readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (isSystemError(error, "ENOENT")) return [];
    throw error;
  });
