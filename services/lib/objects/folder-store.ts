/** @file Objects in a folder of the local file system, for a system that runs in one process. */
import { link, mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { DomainError } from "../errors.ts";
import { checkedStream } from "./checked-body.ts";
import { folderFailure, isSystemError } from "./folder-failure.ts";
import { type ObjectFile, openObjectFile, readContent, writeObjectFile } from "./folder-file.ts";
import { objectPath, walkKeys } from "./folder-layout.ts";
import { lockFolder } from "./folder-lock.ts";
import { guardStore, type ObjectAdapter } from "./guarded-store.ts";
import { createKeyMutex, type KeyMutex } from "./key-mutex.ts";
import { objectNotFound } from "./object-errors.ts";
import type { ObjectInfo, ObjectStore, PutCondition } from "./object-store.ts";

interface Places {
  readonly objects: string;
  readonly temporary: string;
}

const attempt = async <T>(action: string, call: () => Promise<T>): Promise<T> => {
  try {
    return await call();
  } catch (thrown) {
    throw folderFailure(action, thrown);
  }
};

const withFile = async <T>(path: string, key: string, use: (file: ObjectFile) => T | Promise<T>) => {
  const file = await openObjectFile(path, key);
  if (!file) return undefined;
  try {
    return await use(file);
  } finally {
    await file.handle.close();
  }
};

const headFile = (path: string, key: string): Promise<ObjectInfo | undefined> =>
  withFile(path, key, ({ size, sha256 }) => ({ key, size, etag: sha256 }));

const openStream = async (path: string, key: string): Promise<Readable> => {
  const file = await openObjectFile(path, key);
  if (!file) throw objectNotFound(key);
  const { handle, size, sha256 } = file;
  if (size === 0) await handle.close();
  const source = size === 0 ? Readable.from([]) : handle.createReadStream({ start: 0, end: size - 1 });
  return checkedStream(key, source, sha256, (error) => {
    const failure = folderFailure(`read object "${key}"`, error);
    return failure instanceof Error ? failure : error;
  });
};

/** Puts the finished file in its place; false if the condition does not hold. Runs alone for its key. */
const publish = async (finished: string, path: string, key: string, condition: PutCondition | undefined) => {
  if (condition && "ifAbsent" in condition) {
    try {
      await link(finished, path);
      return true;
    } catch (thrown) {
      if (isSystemError(thrown, "EEXIST")) return false;
      throw thrown;
    }
  }
  if (condition && (await headFile(path, key))?.etag !== condition.ifMatch) return false;
  await rename(finished, path);
  return true;
};

const folderPut = ({ objects, temporary }: Places, alone: KeyMutex): ObjectAdapter["put"] => {
  let count = 0;
  return async (key, body, condition) => {
    const path = objectPath(objects, key);
    // Saves the writing where the answer is known already; `publish` decides.
    if (condition && "ifAbsent" in condition && (await headFile(path, key))) return undefined;
    const finished = join(temporary, `${++count}`);
    try {
      const etag = await writeObjectFile(finished, key, body);
      await mkdir(dirname(path), { recursive: true });
      return (await alone(key, () => publish(finished, path, key, condition))) ? etag : undefined;
    } finally {
      await rm(finished, { force: true });
    }
  };
};

const folderAdapter = (places: Places, close: () => Promise<void>): ObjectAdapter => {
  const at = (key: string) => objectPath(places.objects, key);
  // Whatever changes a key waits here, so that what a condition was checked against is what gets replaced.
  const alone = createKeyMutex();
  const put = folderPut(places, alone);
  async function* list(prefix: string): AsyncIterable<ObjectInfo> {
    try {
      for await (const key of walkKeys(places.objects, prefix)) {
        const info = await headFile(at(key), key);
        if (info) yield info;
      }
    } catch (thrown) {
      throw folderFailure(`list objects "${prefix}"`, thrown);
    }
  }
  return {
    find: (key) =>
      attempt(`read object "${key}"`, () =>
        withFile(at(key), key, async (file) => ({ bytes: await readContent(file, key), etag: file.sha256 })),
      ),
    stream: (key) => attempt(`read object "${key}"`, () => openStream(at(key), key)),
    head: (key) => attempt(`read object "${key}"`, () => headFile(at(key), key)),
    put: (key, body, condition) => attempt(`store object "${key}"`, () => put(key, body, condition)),
    list,
    delete: (key) => attempt(`delete object "${key}"`, () => alone(key, () => rm(at(key), { force: true }))),
    close,
  };
};

/** Where in an object folder files lie that nobody needs when its process has ended: emptied when the folder is opened. */
export const temporaryFolder = (folder: string): string => join(folder, ".tmp");

/** A file in the way, a mount that only reads: each operating system has a code of its own for it. */
const unmakeable = (folder: string, thrown: unknown): unknown => {
  const known = folderFailure(`make object folder "${folder}"`, thrown);
  if (known !== thrown || !(thrown instanceof Error)) return known;
  const message = `Cannot make object folder "${folder}" (${thrown.message}); check its path, owner, permissions and mount`;
  return new DomainError("failedPrecondition", "OBJECT_STORE_DENIED", message, { cause: thrown });
};

/**
 * Returns the objects in `folder`, which is made if need be and belongs to this process until `close`. Throws
 * failedPrecondition FOLDER_IN_USE if another process has it, OBJECT_STORE_DENIED if the file system refuses it.
 */
export const openFolderStore = (folder: string): Promise<ObjectStore> =>
  attempt(`open object folder "${folder}"`, async () => {
    const places = { objects: join(folder, "objects"), temporary: temporaryFolder(folder) };
    await mkdir(folder, { recursive: true }).catch((thrown: unknown) => {
      throw unmakeable(folder, thrown);
    });
    const lock = await lockFolder(folder, join(folder, ".lock"));
    try {
      // What a killed process left unfinished.
      await rm(places.temporary, { recursive: true, force: true });
      await mkdir(places.temporary);
      await mkdir(places.objects, { recursive: true });
    } catch (thrown) {
      await lock.release();
      throw thrown;
    }
    return guardStore(folderAdapter(places, lock.release));
  });
