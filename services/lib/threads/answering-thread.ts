/** @file A thread's own end: its script calls `answerQuestions` once. */
import { parentPort, type Transferable } from "node:worker_threads";
import { type FromThread, type ToThread, toFailure } from "./messages.ts";

/** An answer, and what of its memory goes along with it. */
export interface Answered<Answer> {
  readonly answer: Answer;
  readonly transfer?: readonly Transferable[];
}

/** Answers one question after the other until the thread is stopped. What `answerTo` throws is the reply to whoever asked. */
export function answerQuestions<Question, Answer>(answerTo: (question: Question) => Answered<Answer>): void {
  if (parentPort === null) throw new Error("Cannot answer: this is a thread's script; start the thread instead");
  const port = parentPort;
  port.on("message", (message: ToThread<Question>) => {
    if (message.kind === "stop") {
      port.close();
      return;
    }
    try {
      const { answer, transfer = [] } = answerTo(message.question);
      port.postMessage({ kind: "answered", answer } satisfies FromThread<Answer>, transfer);
    } catch (thrown) {
      port.postMessage({ kind: "failed", failure: toFailure(thrown) } satisfies FromThread<Answer>);
    }
  });
}
