/**
 * @file Where a key lies below the folder: "a/b" is the file `a/b~`, so that "a/b/c" can be the file `a/b/c~` beside it.
 * Keys never hold "~".
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "./folder-failure.ts";

const FILE_MARK = "~";

/** Returns the path of the key's file; `key` is valid. */
export const objectPath = (root: string, key: string): string => join(root, ...key.split("/")) + FILE_MARK;

const readFolder = async (path: string) => {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (thrown) {
    if (isSystemError(thrown, "ENOENT")) return [];
    throw thrown;
  }
};

/** Keys below one folder ("" or "a/b/"), subfolders as a name that ends in "/". Sorting these sorts the keys within. */
const readNames = async (root: string, folder: string): Promise<string[]> => {
  const entries = await readFolder(join(root, ...folder.split("/")));
  return entries.flatMap((entry) => {
    if (entry.isDirectory()) return [`${folder}${entry.name}/`];
    return entry.name.endsWith(FILE_MARK) ? [folder + entry.name.slice(0, -FILE_MARK.length)] : [];
  });
};

/** Yields the keys that start with `prefix` in byte order, reading a folder only when its first key is due. */
export async function* walkKeys(root: string, prefix: string): AsyncGenerator<string, void, undefined> {
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  const names = (await readNames(root, folder)).filter((name) => name.startsWith(prefix));
  // Code units are bytes here: keys are ASCII.
  for (const name of names.sort()) {
    if (name.endsWith("/")) yield* walkKeys(root, name);
    else yield name;
  }
}
