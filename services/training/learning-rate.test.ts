import assert from "node:assert/strict";
import { test } from "node:test";
import { learningRateAt, type RateSettings } from "./learning-rate.ts";

const settings: RateSettings = { optimizer: "adagrad", learningRate: 0.01, rateSchedule: "cosine", iterations: 100 };
const close = (actual: number, expected: number): void => assert.ok(Math.abs(actual - expected) < 1e-12, `${actual}`);

test("a cosine starts at the rate, is half way down in the middle, and ends just above 0", () => {
  close(learningRateAt(settings, 0), 0.01);
  close(learningRateAt(settings, 50), 0.005);
  const last = learningRateAt(settings, 99);
  assert.ok(last > 0 && last < 1e-5);
});

test("a constant rate is the same at every step", () => {
  const constant = { ...settings, rateSchedule: "constant" } as const;
  for (const step of [0, 50, 99]) close(learningRateAt(constant, step), 0.01);
});

test("Adam's rate corrects the bias of its first steps and then is the settings'", () => {
  const adam = { ...settings, optimizer: "adam", rateSchedule: "constant", iterations: 20_000 } as const;
  // at the first step the mean is .1 g and the root of the squares' mean .0316 g: .01 g / g is wanted
  close(learningRateAt(adam, 0) * (0.1 / Math.sqrt(0.001)), 0.01);
  assert.ok(Math.abs(learningRateAt(adam, 15_000) - 0.01) < 1e-8);
});
