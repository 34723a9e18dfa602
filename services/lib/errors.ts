/** @file The one error type for failures that a caller can act on; anything else that is thrown is a bug. */

/** What a caller can do about a failure; each kind is one gRPC status. Only `unavailable` is worth trying again. */
export type FailureKind =
  | "invalidArgument"
  | "notFound"
  | "alreadyExists"
  | "failedPrecondition"
  | "unauthenticated"
  | "resourceExhausted"
  | "cancelled"
  | "dataLoss"
  | "unavailable";

/** An expected failure: `reason` is stable and UPPER_SNAKE, the message says what failed and quotes the values. */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly kind: FailureKind;
  readonly reason: string;
  readonly info: Readonly<Record<string, string>>;

  constructor(
    kind: FailureKind,
    reason: string,
    message: string,
    options: { readonly info?: Readonly<Record<string, string>>; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.reason = reason;
    this.info = options.info ?? {};
  }
}

/** Shorthand for the commonest failure: the caller sent something that cannot work. */
export const invalid = (reason: string, message: string, cause?: unknown): DomainError =>
  new DomainError("invalidArgument", reason, message, { cause });

/** What Node says when a server's certificate is not one to trust: https://nodejs.org/api/tls.html#x509-certificate-error-codes. */
const CERTIFICATE_ERRORS = new Set([
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "CERT_NOT_YET_VALID",
  "CERT_HAS_EXPIRED",
  "CERT_REVOKED",
  "CERT_UNTRUSTED",
  "CERT_REJECTED",
  "CERT_CHAIN_TOO_LONG",
  "PATH_LENGTH_EXCEEDED",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "HOSTNAME_MISMATCH",
  "ERR_TLS_CERT_ALTNAME_INVALID",
]);

/** Returns Node's code if an error, or one that caused it, is that a server's certificate is not trusted; else undefined. */
export function certificateError(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  if ("code" in thrown && typeof thrown.code === "string" && CERTIFICATE_ERRORS.has(thrown.code)) return thrown.code;
  return certificateError(thrown.cause);
}
