/** @file A folder belongs to one process: LevelDB's lock is the operating system's and vanishes with the process. */
import { ClassicLevel } from "classic-level";
import { DomainError } from "../errors.ts";

/** A held lock. */
export interface FolderLock {
  release(): Promise<void>;
}

const isLocked = (thrown: unknown): boolean =>
  thrown instanceof Error &&
  thrown.cause instanceof Error &&
  "code" in thrown.cause &&
  thrown.cause.code === "LEVEL_LOCKED";

const tryOpen = async (location: string): Promise<ClassicLevel> => {
  const database = new ClassicLevel(location);
  await database.open();
  return database;
};

const folderInUse = (folder: string, cause: unknown) =>
  new DomainError(
    "failedPrecondition",
    "FOLDER_IN_USE",
    `Cannot open object folder "${folder}": it is used by another radhical process; wait for it or choose another folder`,
    { cause },
  );

/**
 * Returns the lock of `folder`, kept by an empty LevelDB in `location`. Throws failedPrecondition FOLDER_IN_USE if
 * this or another process holds it.
 */
export const lockFolder = async (folder: string, location: string): Promise<FolderLock> => {
  try {
    const database = await tryOpen(location).catch(async (thrown: unknown) => {
      if (isLocked(thrown)) throw thrown;
      // The database holds nothing: one that a power cut damaged is replaced. `destroy` takes the lock itself.
      await ClassicLevel.destroy(location);
      return tryOpen(location);
    });
    return { release: () => database.close() };
  } catch (thrown) {
    throw isLocked(thrown) ? folderInUse(folder, thrown) : thrown;
  }
};
