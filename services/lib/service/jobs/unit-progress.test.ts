/** @file Bookkeeping of units against a plain model of it, and at the size of a slide. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PlannedUnit } from "../../proto/radhical/v1/work.ts";
import { UnitProgress } from "./unit-progress.ts";
import { UnitTable } from "./unit-table.ts";

const unitOf = (group: string, after: string, amount = 1): PlannedUnit =>
  PlannedUnit.fromPartial({ group, after, amount: BigInt(amount) });

const tableOf = (units: readonly PlannedUnit[]): UnitTable => {
  const table = new UnitTable();
  for (const unit of units) table.add(unit);
  return table;
};

/** What a unit's state is, told by all that happened to it. */
interface Model {
  done: boolean;
  dead: boolean;
  partial: bigint;
  released: boolean;
}

const GROUPS = ["a", "b", "c"];
const arbitraryUnit = fc.record({
  group: fc.constantFrom("", ...GROUPS),
  after: fc.constantFrom("", "", ...GROUPS),
  amount: fc.nat(20),
  done: fc.boolean(),
});
const arbitraryEvent = fc.record({
  kind: fc.constantFrom("done", "dead", "partial", "release"),
  unit: fc.integer({ min: -1, max: 12 }),
  amount: fc.integer({ min: -3, max: 30 }),
});

test("any events in any order leave the progress that a plain model of it has", () => {
  fc.assert(
    fc.property(fc.array(arbitraryUnit, { maxLength: 12 }), fc.array(arbitraryEvent), (given, events) => {
      const units = given.map(({ group, after, amount }) => unitOf(group, after, amount));
      const progress = new UnitProgress(
        tableOf(units),
        Uint8Array.from(given, ({ done }) => (done ? 1 : 0)),
      );
      const models: Model[] = given.map(({ done, after }) => ({
        done,
        dead: false,
        partial: 0n,
        released: after === "",
      }));
      const isReady = (after: string) => units.every(({ group }, i) => group !== after || models[i]!.done);
      const takeReleased = () => {
        const taken = units.flatMap(({ after }, i) => (!models[i]!.released && isReady(after) ? [i] : []));
        for (const i of taken) models[i]!.released = true;
        return taken.filter((i) => !models[i]!.done && !models[i]!.dead);
      };
      for (const { kind, unit, amount } of events) {
        const model = models[unit];
        if (kind === "release")
          assert.deepEqual(
            progress.takeReleased().toSorted((a, b) => a - b),
            takeReleased(),
          );
        if (kind === "done") progress.markDone(unit);
        if (kind === "dead") progress.markDead(unit, "why");
        if (kind === "partial") progress.markPartial(unit, BigInt(amount));
        if (!model || model.done) continue;
        if (kind === "done") Object.assign(model, { done: true, dead: false });
        if (kind === "dead") model.dead = true;
        const limit = given[unit]!.amount;
        if (kind === "partial") model.partial = BigInt(Math.min(Math.max(amount, 0), limit));
      }
      const amounts = models.map(({ done, partial }, i) => (done ? units[i]!.amount : partial));
      assert.equal(
        progress.amountDone,
        amounts.reduce((sum, amount) => sum + amount, 0n),
      );
      assert.equal(
        progress.isComplete,
        models.every(({ done }) => done),
      );
      assert.deepEqual([...progress.dead.keys()].sort(), models.flatMap(({ dead }, i) => (dead ? [i] : [])).sort());
      progress.takeReleased();
      takeReleased();
      const mayHappen = models.some(({ done, dead, released }) => !done && !dead && released);
      assert.equal(progress.isStuck, !progress.isComplete && !mayHappen);
    }),
  );
});

test("an event twice counts once, and what died can still be done", () => {
  const progress = new UnitProgress(tableOf([unitOf("", "", 5), unitOf("", "", 7)]), new Uint8Array(2));
  progress.markDone(0);
  progress.markDone(0);
  progress.markDead(1, "gone");
  assert.deepEqual([progress.amountDone, progress.isStuck], [5n, true]);
  progress.markDone(1);
  assert.deepEqual(
    [progress.amountDone, progress.isStuck, progress.isComplete, progress.dead.size],
    [12n, false, true, 0],
  );
});

test("the units of a job of 100,000 are counted one by one without looking at the others", () => {
  const tiles = 100_000;
  let looks = 0;
  class WatchedTable extends UnitTable {
    override amount(index: number): bigint {
      looks++;
      return super.amount(index);
    }
    override group(index: number): string {
      looks++;
      return super.group(index);
    }
    override after(index: number): string {
      looks++;
      return super.after(index);
    }
  }
  const watched = new WatchedTable();
  for (let i = 0; i <= tiles; i++) watched.add(i === tiles ? unitOf("", "tiles", 0) : unitOf("tiles", ""));
  const progress = new UnitProgress(watched, new Uint8Array(tiles + 1));
  const before = looks;
  for (let i = 0; i < tiles; i++) {
    progress.markPartial(i, 0n);
    progress.markDone(i);
    assert.equal(progress.amountDone, BigInt(i + 1));
    assert.deepEqual([progress.isStuck, progress.isComplete], [false, false]);
    assert.deepEqual(progress.takeReleased(), i === tiles - 1 ? [tiles] : []);
  }
  assert.ok(looks - before < 10 * tiles, `${looks - before} looks at the plan`);
});

test("a failure counts as the progress does, and names the reason of the first unit", () => {
  const failureOf = (amounts: number[], dead: number[], unit: string): string => {
    const units = amounts.map((amount) => unitOf("", "", amount));
    const progress = new UnitProgress(tableOf(units), new Uint8Array(units.length));
    for (const n of dead) progress.markDead(n, `Cannot read ${n}`);
    return progress.failure({ total: amounts.reduce((sum, amount) => sum + BigInt(amount), 0n), unit });
  };
  const tiles = Array.from({ length: 215 }, (_, i) => (i === 214 ? 0 : 1));
  assert.equal(failureOf(tiles, [77, 5, 100], "tiles"), "3 of 214 tiles failed: Cannot read 5");
  assert.equal(failureOf(tiles, [214], "tiles"), "1 of 215 units failed: Cannot read 214");
  assert.equal(failureOf([16_000, 16_000], [1], "steps"), "16000 of 32000 steps failed: Cannot read 1");
  assert.equal(failureOf([100], [0], "%"), "100 % failed: Cannot read 0");
});
