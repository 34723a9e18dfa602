/** @file Batches: which patches a step sees and how they are mirrored, a function of seed and step alone. */
import { DomainError } from "../lib/errors.ts";
import { mirrorPatch, PATCH_BYTES } from "../lib/method/patches.ts";
import { createRandom } from "../lib/method/random.ts";
import { RECORD_BYTES, recordCount } from "../lib/patches/records.ts";

export interface Batch {
  /** uint8 [N, 3, 32, 32]. */
  readonly patches: Uint8Array;
  /** int32 [N], the network's classes. */
  readonly labels: Int32Array;
}

/** What batches are drawn from. */
export interface BatchSource {
  /** A record file. */
  readonly records: Uint8Array;
  /** The network's class of each stored label. */
  readonly classOfLabel: readonly number[];
  readonly batchSize: number;
  readonly seed: string;
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
 * batch may end one and begin the next. Throws dataLoss RECORDS_CORRUPT for no records, or a label without a class.
 */
export function createBatches({ records, classOfLabel, batchSize, seed }: BatchSource): (step: number) => Batch {
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
    const labels = new Int32Array(batchSize);
    const random = createRandom("mirrors", seed, step);
    for (let i = 0; i < batchSize; i++) {
      const position = step * batchSize + i;
      const start = orderOf(Math.floor(position / count))[position % count]! * RECORD_BYTES;
      labels[i] = classOfLabel[records[start]!]!;
      const mirrors = { horizontally: random.next() < 0.5, vertically: random.next() < 0.5 };
      mirrorPatch({ data: records, offset: start + 1 }, { data: patches, offset: i * PATCH_BYTES }, mirrors);
    }
    return { patches, labels };
  };
}
