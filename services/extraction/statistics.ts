/** @file The table at the end of extraction: patches, bytes and classes per level; and what the masks hold. */

import { PATCH_BYTES, ROTATIONS } from "../lib/method/patches.ts";
import { MaskKind } from "../lib/proto/radhical/v1/datasets.ts";
import type { LevelStatistics } from "../lib/proto/radhical/v1/extraction.ts";
import type { ExtractRecord } from "../lib/proto/radhical/v1/work.ts";

/** Returns the stored patches of all images, level by level, rotations included. */
export function countPatches(records: readonly ExtractRecord[]): LevelStatistics[] {
  const byLevel = new Map<number, bigint[]>();
  for (const { level, labels } of records.flatMap((record) => record.levels)) {
    const counts = byLevel.get(level) ?? [];
    for (const label of labels) {
      while (counts.length <= label) counts.push(0n);
      counts[label] = (counts[label] ?? 0n) + BigInt(ROTATIONS.length);
    }
    byLevel.set(level, counts);
  }
  return [...byLevel]
    .sort(([a], [b]) => a - b)
    .map(([level, byLabel]) => {
      const patches = byLabel.reduce((sum, count) => sum + count, 0n);
      return { level, patches, bytes: patches * BigInt(PATCH_BYTES), byLabel };
    });
}

/** Returns how many nuclei are annotated and graded, and how many masks were read in which way. */
export function countMasks(records: readonly ExtractRecord[]) {
  const count = (kind: MaskKind): bigint => BigInt(records.filter(({ maskKind }) => maskKind === kind).length);
  return {
    nuclei: records.reduce((sum, { nuclei }) => sum + nuclei, 0n),
    binaryMasks: count(MaskKind.MASK_KIND_BINARY),
    labelMasks: count(MaskKind.MASK_KIND_LABELS),
  };
}
