/** @file What train jobs refuse before any work. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TrainingSettings, TrainRequest } from "../lib/proto/radhical/v1/training.ts";
import { temporaryStore } from "../lib/service/jobs/jobs.fixture.ts";
import { trainJobs } from "./train.ts";

test("settings that cannot train are refused together, each by its name and value", async (t) => {
  const { plan } = trainJobs({ objects: await temporaryStore(t) });
  const settings = TrainingSettings.fromPartial({
    iterations: 0,
    batchSize: 5_000,
    learningRate: Number.NaN,
    initialAccumulator: -1,
    weightDecay: -2,
    stainJitter: 1.5,
    averagedSteps: -3,
  });
  await assert.rejects(plan(TrainRequest.fromPartial({ settings })), {
    kind: "invalidArgument",
    reason: "TRAINING_INVALID",
    message:
      "Cannot train: iterations is 0, at least 1 is needed; batch_size is 5000, 1 to 4096 is possible; " +
      "learning_rate is NaN, it must be above 0; initial_accumulator is -1, it must not be negative; " +
      "weight_decay is -2, it must not be negative; stain_jitter is 1.5, 0 to 1 is possible; " +
      "averaged_steps is -3, it must not be negative; optimizer is none that is known here; " +
      "rate_schedule is none that is known here",
  });
});
