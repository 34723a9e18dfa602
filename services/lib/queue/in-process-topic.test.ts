import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Claim, Topic } from "./in-process-topic.ts";

const value = new Uint8Array();
const numberOf = ({ message }: Claim) => Number(message.headers?.number);

test("hands every message to a group in the order of its key, one of a key at a time, whatever is released", () => {
  const step = fc.oneof(
    fc.record({ publish: fc.constantFrom("a", "b", "c") }),
    fc.constant("take" as const),
    fc.record({ end: fc.nat(), done: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const topic = new Topic();
      const group = topic.join("g");
      const inHand: Claim[] = [];
      const finished = new Map<string, number[]>();
      let published = 0;
      const end = (index: number, done: boolean) => {
        const [claim] = inHand.splice(index, 1);
        if (!done) return claim!.release();
        const { key } = claim!.message;
        finished.set(key, [...(finished.get(key) ?? []), numberOf(claim!)]);
        claim!.done();
      };
      const take = () => {
        const claim = group.take();
        if (claim === undefined) return false;
        assert.ok(inHand.every(({ message }) => message.key !== claim.message.key));
        inHand.push(claim);
        return true;
      };
      for (const action of steps) {
        if (action === "take") take();
        else if ("publish" in action) {
          topic.publish({ key: action.publish, value, headers: { number: String(published++) } });
        } else if (inHand.length > 0) end(action.end % inHand.length, action.done);
      }
      while (inHand.length > 0) end(0, true);
      while (take()) end(0, true);
      const all = [...finished.values()];
      for (const numbers of all)
        assert.deepEqual(
          numbers,
          [...numbers].sort((a, b) => a - b),
        );
      assert.equal(new Set(all.flat()).size, published);
      assert.equal(all.flat().length, published);
    }),
  );
});

test("drops what every known group has finished, and keeps for a new group what one has not", () => {
  const topic = new Topic();
  for (const number of ["0", "1", "2"]) topic.publish({ key: number, value, headers: { number } });
  const first = topic.join("first");
  const claims = [first.take()!, first.take()!, first.take()!];
  claims[0]!.done();
  claims[2]!.done();
  const second = topic.join("second");
  assert.deepEqual([second.take()!, second.take()!].map(numberOf), [1, 2]);
  assert.equal(second.take(), undefined);
});

test("takes a million messages behind a key in hand without moving them over and over", () => {
  const topic = new Topic();
  const group = topic.join("g");
  topic.publish({ key: "held", value });
  const held = group.take()!;
  const count = 1_000_000;
  for (let index = 0; index < count; index++) topic.publish({ key: index % 2 === 0 ? "held" : "free", value });
  const startMs = Date.now();
  let taken = 0;
  for (let claim = group.take(); claim !== undefined; claim = group.take(), taken++) claim.done();
  assert.equal(taken, count / 2);
  held.done();
  for (let claim = group.take(); claim !== undefined; claim = group.take(), taken++) claim.done();
  assert.equal(taken, count);
  // About 0.3 s; with Array.shift it takes many minutes.
  assert.ok(Date.now() - startMs < 10_000);
});
