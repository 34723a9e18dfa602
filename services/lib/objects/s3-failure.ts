/** @file What an S3 server or the way to it says, as failures that a caller can act on. */
import { S3Error } from "minio";
import { certificateError, DomainError, invalid } from "../errors.ts";
import { diskFull, objectNotFound } from "./object-errors.ts";

const MISSING = ["NoSuchKey", "NotFound"];
const CONDITION_FAILED = ["PreconditionFailed", "ConditionalRequestConflict"];
const FULL = ["XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded"];
const DENIED = [
  "AccessDenied",
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "AuthorizationHeaderMalformed",
  "XAdminUserNotFound",
];
const DENIED_BY_TIME = ["RequestTimeTooSkewed", "ExpiredToken", "InvalidToken"];
/** Those with status 4xx; minio-js turns 408, 429 and 5xx into errors without a code. */
const TRANSIENT = ["RequestTimeout", "IncompleteBody", "OperationAborted", "SlowDown", "InternalError"];

const codeOf = (thrown: unknown): string => (thrown instanceof S3Error ? (thrown.code ?? "") : "");

/** Whether the server says that there is no such object (a HEAD has no room for more than "NotFound"). */
export const isMissing = (thrown: unknown): boolean => MISSING.includes(codeOf(thrown));

/** Whether a conditional put was refused: 412, or 409 when it lost against another write in flight. */
export const isConditionFailed = (thrown: unknown): boolean => CONDITION_FAILED.includes(codeOf(thrown));

const precondition = (reason: string, message: string, cause: unknown) =>
  new DomainError("failedPrecondition", reason, message, { cause });

/** OBJECT_STORE_UNAVAILABLE: whether the call took effect is not known; it may be made again. */
const unavailable = (action: string, cause: unknown): DomainError =>
  new DomainError(
    "unavailable",
    "OBJECT_STORE_UNAVAILABLE",
    `Cannot ${action}: the object store does not answer as it should; check S3_ENDPOINT and the server, then try again`,
    { cause },
  );

const untrusted = (action: string, code: string, cause: unknown): DomainError =>
  precondition(
    "OBJECT_STORE_UNTRUSTED",
    `Cannot ${action}: the object store's certificate is not trusted (${code}); check S3_CA_FILE, the host in S3_ENDPOINT and the certificate`,
    cause,
  );

const refused = (action: string, code: string, thrown: S3Error, subject: S3Subject): DomainError => {
  if (MISSING.includes(code) && subject.key !== undefined) return objectNotFound(subject.key, thrown);
  if (FULL.includes(code)) return diskFull(action, thrown);
  if (TRANSIENT.includes(code)) return unavailable(action, thrown);
  if (code === "EntityTooLarge") return invalid("OBJECT_TOO_LARGE", `Cannot ${action}: it is too large`, thrown);
  if (code === "NoSuchBucket" || MISSING.includes(code)) {
    return precondition(
      "BUCKET_NOT_FOUND",
      `Cannot ${action}: there is no bucket "${subject.bucket}"; create it or check S3_BUCKET`,
      thrown,
    );
  }
  if (DENIED.includes(code) || DENIED_BY_TIME.includes(code)) {
    const cure =
      "check S3_ACCESS_KEY, S3_SECRET_KEY (or their files), S3_REGION, the bucket's policy and this machine's clock";
    return precondition("OBJECT_STORE_DENIED", `Cannot ${action}: the object store answers "${code}"; ${cure}`, thrown);
  }
  const message = `Cannot ${action}: the object store answers "${code}" (${thrown.message}); check its configuration`;
  return precondition("OBJECT_STORE_REFUSED", message, thrown);
};

/** What a call was about. */
export interface S3Subject {
  readonly bucket: string;
  readonly key?: string;
}

/**
 * Returns the failure behind whatever a call of minio-js threw: an answer of the server by its code, a certificate that
 * cannot be trusted, and anything else that kept the server from answering as OBJECT_STORE_UNAVAILABLE. Failures and bugs are returned as they are.
 */
export const s3Failure = (action: string, thrown: unknown, subject: S3Subject): unknown => {
  if (thrown instanceof DomainError || thrown instanceof TypeError || thrown instanceof RangeError) return thrown;
  if (thrown instanceof S3Error) return refused(action, codeOf(thrown), thrown, subject);
  const certificate = certificateError(thrown);
  return certificate === undefined ? unavailable(action, thrown) : untrusted(action, certificate, thrown);
};
