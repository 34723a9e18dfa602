import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration } from "../lib/service/duration.ts";
import { humanOutput, jsonOutput, type Progress } from "./output.ts";

/** Returns output for people with a clock that the test sets. */
function startHuman() {
  const lines: string[] = [];
  const printed: string[] = [];
  const clock = { ms: 0 };
  const output = humanOutput(
    (line) => lines.push(line),
    (line) => printed.push(line),
    () => clock.ms,
  );
  const at = (ms: number, done: number, more: Partial<Progress> = {}): void => {
    clock.ms = ms;
    output.progress("training", { done, total: 100, unit: "steps", detail: "", ...more });
  };
  return { output, lines, printed, at };
}

test("durations are minutes or hours", () => {
  assert.deepEqual([0, 5, 65, 3599.6, 7384].map(formatDuration), ["0:00", "0:05", "1:05", "1:00:00", "2:03:04"]);
});

test("a step has its number", () => {
  const { output, lines } = startHuman();
  output.step("databases");
  assert.deepEqual(lines, ["[3/7] databases"]);
});

test("progress has a rate and a time left, and at the end no time left", () => {
  const { lines, at } = startHuman();
  at(0, 0);
  at(5_000, 20, { detail: "loss 0.5" });
  at(25_000, 100);
  assert.deepEqual(lines, [
    "      training: 0 of 100 steps",
    "      training: 20 of 100 steps, 4.0 steps/s, 0:20 left (loss 0.5)",
    "      training: 100 of 100 steps, 4.0 steps/s",
  ]);
});

test("work that was resumed is paced by what was done since", () => {
  const { lines, at } = startHuman();
  at(0, 80);
  at(10_000, 90);
  assert.equal(lines[1], "      training: 90 of 100 steps, 1.0 steps/s, 0:10 left");
});

test("lines come about every second at first, and less often the longer the work takes", () => {
  const { lines, at } = startHuman();
  for (let tenth = 0; tenth < 20; tenth++) at(100 * tenth, tenth);
  assert.equal(lines.length, 2);
  const { lines: later, at: atLater } = startHuman();
  for (let second = 0; second < 1_000; second++) atLater(1_000 * second, second / 10);
  assert.ok(later.length > 30 && later.length < 130, `${later.length} lines in 1000 seconds`);
});

test("what a line said is not said again", () => {
  const { lines, at } = startHuman();
  for (const ms of [0, 2_000, 4_000, 6_000]) at(ms, 0, { unit: "%" });
  at(8_000, 4, { unit: "%" });
  assert.deepEqual(lines, ["      training: 0 %", "      training: 4 %, 3:12 left"]);
});

test("the last line comes however soon", () => {
  const { lines, at } = startHuman();
  at(0, 1);
  at(10, 100);
  assert.equal(lines.at(-1), "      training: 100 of 100 steps");
});

test("results go to standard output, everything else to standard error", () => {
  const { output, lines, printed } = startHuman();
  output.note("three masks are not used");
  output.failure("X", "Cannot do it");
  output.result("all done", {});
  assert.deepEqual(lines, ["      note: three masks are not used", "radhical: Cannot do it"]);
  assert.deepEqual(printed, ["all done"]);
});

test("for machines every event is one JSON object on a line", () => {
  const lines: string[] = [];
  const output = jsonOutput((line) => lines.push(line));
  output.step("test");
  output.progress("cascade", { done: 1, total: 4, unit: "tiles", detail: "" });
  output.note("a\nb");
  output.result("for people", { test: 1 });
  output.failure("MASK_MISSING", "Cannot find a mask");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      { event: "step", step: "test", number: 7, of: 7 },
      { event: "progress", what: "cascade", done: 1, total: 4, unit: "tiles", detail: "" },
      { event: "note", text: "a\nb" },
      { event: "result", value: { test: 1 } },
      { event: "failure", reason: "MASK_MISSING", message: "Cannot find a mask" },
    ],
  );
  assert.ok(lines.every((line) => !line.includes("\n")));
});
