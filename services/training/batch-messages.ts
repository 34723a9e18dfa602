/** @file What the step loop's thread and a thread that puts batches together say to each other. Every `assemble` gets one reply. */
import { DomainError, type FailureKind } from "../lib/errors.ts";
import type { Batch } from "./batches.ts";

/** To the thread; `stop` ends it after what was asked before. */
export type ToBatchThread = { readonly kind: "assemble"; readonly step: number } | { readonly kind: "stop" };

/** From the thread. */
export type FromBatchThread =
  | { readonly kind: "done"; readonly step: number; readonly batch: Batch }
  | { readonly kind: "failed"; readonly step: number; readonly failure: Failure };

/** What was thrown, in a form that changes threads: a message port would drop what makes an error a DomainError. */
export type Failure =
  | {
      readonly failureKind: FailureKind;
      readonly reason: string;
      readonly message: string;
      readonly info: Readonly<Record<string, string>>;
    }
  | { readonly bug: unknown };

/** Returns what was thrown, ready to be sent. */
export const toFailure = (thrown: unknown): Failure =>
  thrown instanceof DomainError
    ? { failureKind: thrown.kind, reason: thrown.reason, message: thrown.message, info: thrown.info }
    : { bug: thrown };

/** Returns what was thrown in the other thread. */
export const fromFailure = (failure: Failure): unknown =>
  "bug" in failure
    ? failure.bug
    : new DomainError(failure.failureKind, failure.reason, failure.message, { info: failure.info });
