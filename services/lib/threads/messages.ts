/** @file What the two ends of a thread say to each other: every question gets one reply, in order. */
import { DomainError, type FailureKind } from "../errors.ts";

/** To the thread; `stop` ends it after what was asked before. */
export type ToThread<Question> = { readonly kind: "ask"; readonly question: Question } | { readonly kind: "stop" };

/** From the thread. */
export type FromThread<Answer> =
  | { readonly kind: "answered"; readonly answer: Answer }
  | { readonly kind: "failed"; readonly failure: Failure };

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
