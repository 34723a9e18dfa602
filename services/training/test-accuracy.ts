/** @file How a network does on the fold's test patches: for the reader only, nothing is chosen by it. */
import { PATCH_BYTES } from "../lib/method/patches.ts";
import { RECORD_BYTES, recordCount } from "../lib/patches/records.ts";
import type { Session } from "../lib/runtime/session.ts";
import { float32Data } from "../lib/runtime/tensor.ts";

const BATCH = 256;
const CLASSES = 3;

/** Returns the confusion matrix, row = true class, column = class given, over all records. `session` runs a patch graph. */
export async function confusionMatrix(
  session: Session,
  records: Uint8Array,
  classOfLabel: readonly number[],
  { signal, progress }: { readonly signal: AbortSignal; readonly progress: () => Promise<void> },
): Promise<number[]> {
  const confusion = new Array<number>(CLASSES * CLASSES).fill(0);
  const count = recordCount(records);
  for (let first = 0; first < count; first += BATCH) {
    signal.throwIfAborted();
    await progress();
    const size = Math.min(BATCH, count - first);
    const data = new Uint8Array(size * PATCH_BYTES);
    for (let i = 0; i < size; i++) {
      const start = (first + i) * RECORD_BYTES;
      data.set(records.subarray(start + 1, start + RECORD_BYTES), i * PATCH_BYTES);
    }
    const outputs = await session.run({ patches: { type: "uint8", dims: [size, 3, 32, 32], data, transfer: true } });
    const probabilities = float32Data(outputs.probabilities);
    for (let i = 0; i < size; i++) {
      const truth = classOfLabel[records[(first + i) * RECORD_BYTES]!]!;
      const row = probabilities.subarray(i * CLASSES, (i + 1) * CLASSES);
      confusion[truth * CLASSES + row.indexOf(Math.max(...row))]! += 1;
    }
  }
  return confusion;
}

/** Returns a record file of at most `count` of the records, evenly spread: lists are in image order, so every image has its part. */
export function evenSample(records: Uint8Array, count: number): Uint8Array {
  const all = recordCount(records);
  if (all <= count) return records;
  const sample = new Uint8Array(count * RECORD_BYTES);
  for (let i = 0; i < count; i++) {
    const start = Math.floor(((i + 0.5) * all) / count) * RECORD_BYTES;
    sample.set(records.subarray(start, start + RECORD_BYTES), i * RECORD_BYTES);
  }
  return sample;
}

/** Returns the share of the matrix's total that lies on its diagonal; 0 for an empty matrix. */
export function accuracy(confusion: readonly number[]): number {
  const total = confusion.reduce((sum, n) => sum + n, 0);
  const right = confusion.reduce((sum, n, i) => (i % (CLASSES + 1) === 0 ? sum + n : sum), 0);
  return total === 0 ? 0 : right / total;
}
