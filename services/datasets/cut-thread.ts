/** @file The script of a thread that cuts patches: a large image would keep the main thread, and its health, for seconds. */
import type { RgbImage } from "../lib/method/image.ts";
import { reduceImage } from "../lib/method/levels.ts";
import { createRowCopier } from "../lib/method/row-copier.ts";
import type { LabelledCentres } from "../lib/method/sampling.ts";
import { cutRecords } from "../lib/patches/cut-records.ts";
import { answerQuestions } from "../lib/threads/answering-thread.ts";

/** An image, and what to cut of it at a level. */
export interface CutRequest {
  readonly image: RgbImage;
  readonly reduction: number;
  readonly centres: LabelledCentres;
}

/** What a thread keeps of its memory: enough for images of usual size, for new pages cost more time than cutting does. */
const KEPT_BYTES = 256 * 2 ** 20;

let copier = createRowCopier();

answerQuestions(({ image, reduction, centres }: CutRequest) => {
  if (copier.bytes.length > KEPT_BYTES) copier = createRowCopier();
  return { answer: cutRecords(copier, reduceImage(image, reduction), centres) };
});
