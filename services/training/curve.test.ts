/** @file The loss that progress tells. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { latestLoss } from "./curve.ts";

test("the loss told is of the last full stretch, before there is one of the steps so far, before the first none", () => {
  assert.equal(latestLoss({ step: 0, losses: [], openLoss: 0 }), undefined);
  assert.equal(latestLoss({ step: 4, losses: [], openLoss: 2 }), 0.5);
  assert.equal(latestLoss({ step: 120, losses: [0.9, 0.7], openLoss: 2 }), 0.7);
});
