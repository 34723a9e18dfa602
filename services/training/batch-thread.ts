/** @file The script of a thread that puts batches together while the network works. It ends by the message `stop`. */
import { parentPort, workerData } from "node:worker_threads";
import { type FromBatchThread, type ToBatchThread, toFailure } from "./batch-messages.ts";
import { type Batch, type BatchSource, createBatches } from "./batches.ts";

if (parentPort === null) throw new Error("batch-thread is a thread's script; open a batch feed instead");
const port = parentPort;
let batches: ((step: number) => Batch) | undefined;

port.on("message", (message: ToBatchThread) => {
  if (message.kind === "stop") {
    port.close();
    return;
  }
  const { step } = message;
  try {
    // here and not at the start, so that records that are refused are the reply to whoever waits for a batch
    batches ??= createBatches(workerData as BatchSource);
    const batch = batches(step);
    port.postMessage({ kind: "done", step, batch } satisfies FromBatchThread, [
      batch.patches.buffer,
      batch.labels.buffer,
    ]);
  } catch (thrown) {
    port.postMessage({ kind: "failed", step, failure: toFailure(thrown) } satisfies FromBatchThread);
  }
});
