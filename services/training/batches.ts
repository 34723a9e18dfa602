/** @file Batches: which patches a step sees and how they are mirrored, a function of seed and step alone. */
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

/**
 * Returns a function from step to batch. Every pass over the patches is a new order; passes follow each other without a gap, so a
 * batch may end one and begin the next.
 */
export function createBatches({ records, classOfLabel, batchSize, seed }: BatchSource): (step: number) => Batch {
  const count = recordCount(records);
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
