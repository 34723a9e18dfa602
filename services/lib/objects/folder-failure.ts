/** @file File system errors as failures that a caller can act on. */
import { DomainError } from "../errors.ts";
import { diskFull } from "./object-errors.ts";

/** Whether `thrown` is a system error with this code ("ENOENT"). */
export const isSystemError = (thrown: unknown, code: string): boolean =>
  thrown instanceof Error && "code" in thrown && thrown.code === code;

/**
 * Returns the failure behind an error of the file system: DISK_FULL, OBJECT_STORE_DENIED or OBJECT_STORE_UNAVAILABLE;
 * an error that is none of these is returned as it is.
 */
export const folderFailure = (action: string, thrown: unknown): unknown => {
  const is = (...codes: readonly string[]) => codes.some((code) => isSystemError(thrown, code));
  if (is("ENOSPC", "EDQUOT")) return diskFull(action, thrown);
  if (is("EACCES", "EPERM", "EROFS", "ENOTDIR")) {
    const message = `Cannot ${action}: the object folder refuses it; check its path, owner, permissions and mount`;
    return new DomainError("failedPrecondition", "OBJECT_STORE_DENIED", message, { cause: thrown });
  }
  if (is("EMFILE", "ENFILE", "EBUSY")) {
    const message = `Cannot ${action}: too many files are open or one is busy; try again`;
    return new DomainError("unavailable", "OBJECT_STORE_UNAVAILABLE", message, { cause: thrown });
  }
  return thrown;
};
