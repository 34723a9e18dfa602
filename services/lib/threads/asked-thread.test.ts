import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startThread } from "./asked-thread.ts";

const start = (t: TestContext) => {
  const thread = startThread<unknown, Float64Array>({
    script: new URL("./echo-thread.fixture.js", import.meta.url),
    task: "double numbers",
    deathReason: "DOUBLER_DIED",
  });
  t.after(thread.kill);
  return thread;
};

test("answers come to their own questions, asked one after the other or at once", async (t) => {
  const thread = start(t);
  assert.deepEqual(await thread.ask(4), Float64Array.of(8));
  const answers = await Promise.all([1, 2, 3].map((number) => thread.ask(number)));
  assert.deepEqual(
    answers.map(([answer]) => answer),
    [2, 4, 6],
  );
});

test("what is transferred goes with its question", async (t) => {
  const thread = start(t);
  const numbers = Float64Array.of(1, 2);
  await assert.rejects(thread.ask(numbers, [numbers.buffer]), { reason: "NOT_A_NUMBER" });
  assert.equal(numbers.length, 0);
});

test("what the script throws is the reply to its question alone", async (t) => {
  const thread = start(t);
  const [refused, bug, fine] = await Promise.allSettled(["a word", "bug", 5].map((question) => thread.ask(question)));
  assert.ok(refused?.status === "rejected" && bug?.status === "rejected" && fine?.status === "fulfilled");
  assert.equal(refused.reason.reason, "NOT_A_NUMBER");
  assert.ok(bug.reason instanceof RangeError);
  assert.deepEqual(fine.value, Float64Array.of(10));
});

test("a question that cannot be sent fails, and the next is answered", async (t) => {
  const thread = start(t);
  await assert.rejects(
    thread.ask(() => 1),
    { name: "DataCloneError" },
  );
  assert.deepEqual(await thread.ask(6), Float64Array.of(12));
});

test("a thread that ends fails what it was asked, and all that is asked later", async (t) => {
  const thread = start(t);
  const died = { name: "DomainError", kind: "unavailable", reason: "DOUBLER_DIED", message: /Cannot double numbers/ };
  await Promise.all(["die", 1].map((question) => assert.rejects(thread.ask(question), died)));
  assert.equal(thread.isAlive, false);
  await assert.rejects(thread.ask(1), died);
});

test("stop lets it answer first; kill does not wait", async (t) => {
  const polite = start(t);
  const answer = polite.ask(7);
  await polite.stop();
  await polite.stop();
  assert.deepEqual(await answer, Float64Array.of(14));
  const hanging = start(t);
  const asked = assert.rejects(hanging.ask("hang"), { reason: "DOUBLER_DIED" });
  await hanging.kill();
  await asked;
});
