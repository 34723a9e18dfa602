/** @file The script of a thread that cuts patches: a large image would keep the main thread, and its health, for seconds. */
import { createRowCopier } from "../lib/method/row-copier.ts";
import { type Answered, answerQuestions } from "../lib/threads/answering-thread.ts";
import { cutImage } from "./cut-image.ts";
import type { CutAnswer, CutQuestion } from "./cut-messages.ts";

/** What a thread keeps of its memory: enough for images of usual size, for new pages cost more time than cutting does. */
const KEPT_BYTES = 256 * 2 ** 20;

let copier = createRowCopier();
let image: ReturnType<typeof cutImage> | undefined;

answerQuestions((question: CutQuestion): Answered<CutAnswer> => {
  if (question.kind === "cut") {
    if (copier.bytes.length > KEPT_BYTES) copier = createRowCopier();
    image = cutImage(copier, question.request);
  }
  const step = image?.next();
  if (step === undefined) throw new Error("Cannot go on: no image was begun");
  if (!step.done) return { answer: { kind: "level", level: step.value, memory: copier.bytes } };
  image = undefined;
  return { answer: { kind: "done", image: step.value } };
});
