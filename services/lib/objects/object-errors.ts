/** @file The failures that callers of either adapter meet. */
import { DomainError, invalid } from "../errors.ts";

/** OBJECT_NOT_FOUND. */
export const objectNotFound = (key: string, cause?: unknown): DomainError =>
  new DomainError("notFound", "OBJECT_NOT_FOUND", `Cannot find object "${key}"`, { info: { key }, cause });

/** OBJECT_CORRUPT: what is stored under the key is not what was put there. */
export const objectCorrupt = (key: string, why: string): DomainError =>
  new DomainError(
    "dataLoss",
    "OBJECT_CORRUPT",
    `Cannot read object "${key}": ${why}; delete it and run the step that makes it again`,
    { info: { key } },
  );

/** OBJECT_BODY_MISMATCH: the body of a put is not the one that was announced. */
export const bodyMismatch = (key: string, why: string): DomainError =>
  invalid("OBJECT_BODY_MISMATCH", `Cannot store object "${key}": ${why}; send the bytes that were measured and hashed`);

/** OBJECT_STORE_CLOSED. */
export const storeClosed = (): DomainError =>
  new DomainError(
    "failedPrecondition",
    "OBJECT_STORE_CLOSED",
    "Cannot use the object store: it is closed; open it again",
  );

/** DISK_FULL, for a disk or a quota. */
export const diskFull = (action: string, cause: unknown): DomainError =>
  new DomainError("resourceExhausted", "DISK_FULL", `Cannot ${action}: no space is left; free some and try again`, {
    cause,
  });
