import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openThreadPool } from "./thread-pool.ts";

const open = (t: TestContext) => {
  const pool = openThreadPool<unknown, Float64Array>({
    name: "doublers",
    script: new URL("./echo-thread.fixture.js", import.meta.url),
    task: "double numbers",
    deathReason: "DOUBLER_DIED",
    stopReason: "DOUBLERS_STOPPED",
  });
  t.after(pool.stop);
  return pool;
};

test("work that is done side by side has threads of its own, work that comes later an idle one", async (t) => {
  const pool = open(t);
  const lent = new Set<unknown>();
  const double = (number: number) =>
    pool.lend(async (thread) => {
      lent.add(thread);
      const answers = [await thread.ask(number), await thread.ask(10 * number)];
      return answers.map(([answer]) => answer);
    });
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await Promise.all([1, 2, 3].map(double)), [
      [2, 20],
      [4, 40],
      [6, 60],
    ]);
  }
  assert.equal(lent.size, 3);
});

test("a question that fails, fails alone, and a thread that died is not lent again", async (t) => {
  const pool = open(t);
  const ask = (question: unknown) => pool.lend((thread) => thread.ask(question));
  await assert.rejects(ask("a word"), { reason: "NOT_A_NUMBER" });
  await assert.rejects(ask("die"), { reason: "DOUBLER_DIED" });
  assert.deepEqual(await ask(4), Float64Array.of(8));
});

test("a stopped pool lends no more", async (t) => {
  const pool = open(t);
  const answer = pool.lend((thread) => thread.ask(4));
  await pool.stop();
  await pool.stop();
  assert.deepEqual(await answer, Float64Array.of(8));
  const stopped = { kind: "failedPrecondition", reason: "DOUBLERS_STOPPED", message: /Cannot double numbers/ };
  await assert.rejects(
    pool.lend((thread) => thread.ask(4)),
    stopped,
  );
});
