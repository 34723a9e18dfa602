/** @file The one place where domain errors meet gRPC, in both directions. */
import type { CallContext, ServerMiddlewareCall } from "nice-grpc";
import { ClientError, ServerError, Status } from "nice-grpc-common";
import { ErrorInfo, RichClientError, RichServerError } from "nice-grpc-error-details";
import { DomainError, type FailureKind } from "../errors.ts";
import type { Logger } from "./log.ts";

const STATUS = {
  invalidArgument: Status.INVALID_ARGUMENT,
  notFound: Status.NOT_FOUND,
  alreadyExists: Status.ALREADY_EXISTS,
  failedPrecondition: Status.FAILED_PRECONDITION,
  unauthenticated: Status.UNAUTHENTICATED,
  resourceExhausted: Status.RESOURCE_EXHAUSTED,
  cancelled: Status.CANCELLED,
  dataLoss: Status.DATA_LOSS,
  unavailable: Status.UNAVAILABLE,
} as const satisfies Record<FailureKind, Status>;

/** Errors travel in a call's trailers, which have room for some 8 KB: one too long hangs the connection with all its calls. */
const MAX_TEXT = 2_000;

const shortened = (text: string): string => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`);

const isAbort = (thrown: unknown): boolean => thrown instanceof Error && thrown.name === "AbortError";

/** Returns server middleware that turns a DomainError into its status with ErrorInfo, and hides a bug behind INTERNAL. */
export const domainErrors = (log: Logger) =>
  async function* <Request, Response>(call: ServerMiddlewareCall<Request, Response>, context: CallContext) {
    try {
      return yield* call.next(call.request, context);
    } catch (thrown) {
      if (thrown instanceof ServerError || isAbort(thrown)) throw thrown;
      if (!(thrown instanceof DomainError)) {
        log.error({ err: thrown, method: call.method.path }, "bug in handler");
        throw new ServerError(Status.INTERNAL, "internal error");
      }
      const metadata = Object.fromEntries(Object.entries(thrown.info).map(([key, text]) => [key, shortened(text)]));
      const details = [ErrorInfo.fromPartial({ domain: "radhical", reason: thrown.reason, metadata })];
      throw new RichServerError(STATUS[thrown.kind], shortened(thrown.message), details);
    }
  };

/** Returns a failed call's DomainError, or the error itself where the status is not one of ours. */
export function fromGrpc(thrown: unknown): unknown {
  if (!(thrown instanceof ClientError)) return thrown;
  const kind = (Object.keys(STATUS) as FailureKind[]).find((key) => STATUS[key] === thrown.code);
  if (!kind) return thrown;
  const details = thrown instanceof RichClientError ? thrown.extra : [];
  const detail = details.find((extra): extra is ErrorInfo => extra.$type === ErrorInfo.$type);
  const reason = detail?.reason ?? Status[thrown.code] ?? "UNKNOWN";
  return new DomainError(kind, reason, thrown.details, { info: detail?.metadata ?? {}, cause: thrown });
}
