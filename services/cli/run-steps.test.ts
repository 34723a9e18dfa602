import assert from "node:assert/strict";
import { test } from "node:test";
import { Model } from "../lib/proto/radhical/v1/training.ts";
import { RunOptions } from "./options.ts";
import { tuneRequest } from "./run-steps.ts";

test("a level whose model has seen too little of a class is tuned without an upper threshold", () => {
  const options = RunOptions.parse({ images: "images", masks: "masks", out: "out" });
  const request = (...rareClasses: readonly number[][]) => {
    const models = rareClasses.map((classes, i) => Model.fromPartial({ level: i + 1, rareClasses: classes }));
    return tuneRequest(options, { evaluationId: "", cohortId: "", splitId: "", models });
  };
  assert.deepEqual(request([], [], [], []).withoutUpper, []);
  assert.deepEqual(request([], [1], [], [0, 2]).withoutUpper, [2, 4]);
});
