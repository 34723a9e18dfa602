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
