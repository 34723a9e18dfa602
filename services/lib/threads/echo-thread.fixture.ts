/** @file A thread's script for tests: answers numbers with twice themselves, and throws for others. */
import { DomainError } from "../errors.ts";
import { answerQuestions } from "./answering-thread.ts";

answerQuestions((question: unknown) => {
  if (question === "die") process.exit(3);
  if (question === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (question === "bug") throw new RangeError("not a number at all");
  if (typeof question !== "number") throw new DomainError("invalidArgument", "NOT_A_NUMBER", "Cannot double that");
  const answer = new Float64Array([2 * question]);
  return { answer, transfer: [answer.buffer] };
});
