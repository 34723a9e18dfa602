/** @file The script of a thread that puts batches together while the network works. */
import { workerData } from "node:worker_threads";
import { type Answered, answerQuestions } from "../lib/threads/answering-thread.ts";
import { type Batch, type BatchSource, createBatches } from "./batches.ts";

let batches: ((step: number) => Batch) | undefined;

answerQuestions((step: number): Answered<Batch> => {
  // here and not at the start, so that records that are refused are the reply to whoever waits for a batch
  batches ??= createBatches(workerData as BatchSource);
  const answer = batches(step);
  return { answer, transfer: [answer.patches.buffer, answer.labels.buffer] };
});
