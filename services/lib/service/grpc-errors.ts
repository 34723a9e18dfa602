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
      const details = [
        ErrorInfo.fromPartial({ domain: "radhical", reason: thrown.reason, metadata: { ...thrown.info } }),
      ];
      throw new RichServerError(STATUS[thrown.kind], thrown.message, details);
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
