import assert from "node:assert/strict";
import { test } from "node:test";
import { Cascade, SegmentationMode } from "../proto/radhical/v1/segmentation.ts";
import { planCascade } from "./cascade-plan.ts";

const cascadeOf = (changes: Partial<Cascade>): Cascade =>
  Cascade.fromPartial({
    models: [1, 2].map((level) => ({ level, reduction: level, modelId: `${level}`, mpp: 0.25 })),
    thresholds: [
      { level: 1, lower: 0.5 },
      { level: 2, lower: 0.1 },
    ],
    mode: SegmentationMode.SEGMENTATION_MODE_CASCADE,
    ...changes,
  });

test("a mode is one of the three, and a level has one set of thresholds", () => {
  assert.deepEqual(
    planCascade(cascadeOf({})).levels.map(({ level }) => level),
    [2, 1],
  );
  for (const mode of [SegmentationMode.SEGMENTATION_MODE_UNSPECIFIED, 7 as SegmentationMode])
    assert.throws(() => planCascade(cascadeOf({ mode })), { reason: "MODE_MISSING" });
  const twice = cascadeOf({}).thresholds.map((thresholds) => ({ ...thresholds, level: 1 }));
  assert.throws(() => planCascade(cascadeOf({ thresholds: twice })), {
    reason: "THRESHOLDS_INVALID",
    message: /two sets of thresholds for level 1/,
  });
});
