/** @file Batches: which patches a step sees, how they are mirrored and stained, a function of seed and step alone. */
import { DomainError } from "../lib/errors.ts";
import { mirrorPatch, PATCH_BYTES, PATCH_WORDS } from "../lib/method/patches.ts";
import { createRandom } from "../lib/method/random.ts";
import { drawStaining, restain } from "../lib/method/stain.ts";
import { RECORD_BYTES, recordCount } from "../lib/patches/records.ts";

export interface Batch {
  /** uint8 [N, 3, 32, 32]. */
  readonly patches: Uint8Array<ArrayBuffer>;
  /** int32 [N], the network's classes. */
  readonly labels: Int32Array<ArrayBuffer>;
}

/** What batches are drawn from. */
export interface BatchSource {
  /** A record file; best in memory that threads share, or each thread has a copy. */
  readonly records: Uint8Array;
  /** The network's class of each stored label. */
  readonly classOfLabel: readonly number[];
  readonly batchSize: number;
  readonly seed: string;
  /** How far stains vary (method/stain.ts); 0: patches are as they were cut. */
  readonly stainJitter: number;
}

/** A label without a class would train as class 0, and nobody would see it. */
function checkRecords(records: Uint8Array, count: number, labels: number): void {
  if (count === 0) throw corrupt("it holds no patches");
  for (let start = 0; start < records.length; start += RECORD_BYTES) {
    const label = records[start]!;
    if (label >= labels)
      throw corrupt(`record ${start / RECORD_BYTES} has label ${label}, known are 0 to ${labels - 1}`);
  }
}

const corrupt = (why: string): DomainError =>
  new DomainError("dataLoss", "RECORDS_CORRUPT", `Cannot train from this database: ${why}; build it again`);

/**
 * Returns a function from step to batch. Every pass over the patches is a new order; passes follow each other without a gap, so a
 * batch may end one and begin the next. Mirrors and stains are drawn anew for every patch of every step, each from a stream of its own.
 * Throws dataLoss RECORDS_CORRUPT for no records, or a label without a class.
 */
export function createBatches(source: BatchSource): (step: number) => Batch {
  const { records, classOfLabel, batchSize, seed, stainJitter } = source;
  const count = recordCount(records);
  checkRecords(records, count, classOfLabel.length);
  let shuffled: { readonly pass: number; readonly order: Uint32Array } | undefined;
  const orderOf = (pass: number): Uint32Array => {
    if (shuffled?.pass !== pass) {
      const order = Uint32Array.from({ length: count }, (_, i) => i);
      createRandom("order", seed, pass).shuffle(order);
      shuffled = { pass, order };
    }
    return shuffled.order;
  };
  return (step) => {
    const patches = new Uint8Array(batchSize * PATCH_BYTES);
    const words = new Int32Array(patches.buffer);
    const labels = new Int32Array(batchSize);
    const mirrors = createRandom("mirrors", seed, step);
    const stains = createRandom("stains", seed, step);
    for (let i = 0; i < batchSize; i++) {
      const position = step * batchSize + i;
      const start = orderOf(Math.floor(position / count))[position % count]! * RECORD_BYTES;
      const offset = i * PATCH_BYTES;
      labels[i] = classOfLabel[records[start]!]!;
      patches.set(records.subarray(start + 1, start + RECORD_BYTES), offset);
      mirrorPatch(words, i * PATCH_WORDS, { horizontally: mirrors.next() < 0.5, vertically: mirrors.next() < 0.5 });
      if (stainJitter > 0) restain(patches, offset, drawStaining(stains, stainJitter));
    }
    return { patches, labels };
  };
}
