/** @file The script of a thread that cuts patches: a large image would keep the main thread, and its health, for seconds. */
import { parentPort } from "node:worker_threads";
import { createRowCopier } from "../lib/method/row-copier.ts";
import { cutImage } from "./cut-image.ts";
import type { FromCutThread, ToCutThread } from "./cut-messages.ts";

/** What a thread keeps of its memory: enough for images of usual size, for new pages cost more time than cutting does. */
const KEPT_BYTES = 256 * 2 ** 20;

if (parentPort === null) throw new Error("cut-thread is a thread's script; open cutters instead");
const port = parentPort;
let copier = createRowCopier();
let image: ReturnType<typeof cutImage> | undefined;

function answer(message: Exclude<ToCutThread, { kind: "stop" }>): FromCutThread {
  if (message.kind === "cut") {
    if (copier.bytes.length > KEPT_BYTES) copier = createRowCopier();
    image = cutImage(copier, message.request);
  }
  const step = image?.next();
  if (step === undefined) throw new Error("Cannot go on: no image was begun");
  if (!step.done) return { kind: "level", level: step.value, memory: copier.bytes };
  image = undefined;
  return { kind: "done", shortfalls: step.value };
}

port.on("message", (message: ToCutThread) => {
  if (message.kind === "stop") {
    port.close();
    return;
  }
  try {
    port.postMessage(answer(message));
  } catch (thrown) {
    image = undefined;
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    port.postMessage({ kind: "failed", message: text } satisfies FromCutThread);
  }
});
