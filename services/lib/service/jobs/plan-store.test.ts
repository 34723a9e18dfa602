/** @file Plans in parts: what goes in comes out, in order, and nothing but the parts asked for is read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ObjectStore } from "../../objects/object-store.ts";
import { PlannedUnit } from "../../proto/radhical/v1/work.ts";
import { temporaryStore } from "./jobs.fixture.ts";
import { openPlan, putPlan, type StoredPlan } from "./plan-store.ts";

const REQUEST = Buffer.from("request");
/** Of a part: four units of these. */
const PART_BYTES = 400;

const unitOf = (n: number): PlannedUnit =>
  PlannedUnit.fromPartial({ key: String(n), message: Buffer.alloc(60, n), outputKey: `o/${n}`, amount: BigInt(n) });

const unitsOf = (count: number): PlannedUnit[] => Array.from({ length: count }, (_, n) => unitOf(n));

const allOf = async (plan: StoredPlan): Promise<PlannedUnit[]> => {
  const units: PlannedUnit[] = [];
  for await (const unit of plan) units.push(unit);
  return units;
};

test("a plan of any size is read back as it was, all of it and any choice of its units", async (t) => {
  const objects = await temporaryStore(t);
  let plans = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(40), fc.array(fc.nat(39)), async (count, wanted) => {
      const key = `plan-${plans++}`;
      const units = unitsOf(count);
      await putPlan(objects, key, { request: REQUEST, units }, PART_BYTES);
      const plan = await openPlan(objects, key);
      assert.deepEqual([plan.count, Buffer.from(plan.request)], [count, REQUEST]);
      assert.deepEqual(await allOf(plan), units);
      const indices = [...new Set(wanted)].filter((n) => n < count).sort((a, b) => a - b);
      const picked: number[] = [];
      for await (const numbered of plan.pick(indices)) {
        for (const [index, unit] of numbered) {
          assert.deepEqual(unit, units[index]);
          picked.push(index);
        }
      }
      assert.deepEqual(picked, indices);
    }),
    { numRuns: 30 },
  );
});

test("a large plan is several objects, and a unit costs the reading of one of them", async (t) => {
  const objects = await temporaryStore(t);
  const read: string[] = [];
  const watched: ObjectStore = {
    ...objects,
    get: (key) => {
      read.push(key);
      return objects.get(key);
    },
  };
  await putPlan(objects, "plan", { request: REQUEST, units: unitsOf(40) }, PART_BYTES);
  const plan = await openPlan(watched, "plan");
  assert.ok(plan.parts.length > 4, `${plan.parts.length} parts`);
  for (let again = 0; again < 2; again++) for await (const [[index] = []] of plan.pick([39])) assert.equal(index, 39);
  assert.equal(read.length, 2, "the plan itself and one part, once");
});

test("of two writers the first one's plan stays whole", async (t) => {
  const objects = await temporaryStore(t);
  await putPlan(objects, "plan", { request: REQUEST, units: unitsOf(40) }, PART_BYTES);
  await putPlan(objects, "plan", { request: REQUEST, units: unitsOf(40).toReversed() }, PART_BYTES);
  assert.deepEqual(await allOf(await openPlan(objects, "plan")), unitsOf(40));
});

test("units that cannot be taken leave no plan", async (t) => {
  const objects = await temporaryStore(t);
  const units = function* (): Generator<PlannedUnit> {
    yield* unitsOf(20);
    throw new Error("no more of them");
  };
  await assert.rejects(putPlan(objects, "plan", { request: REQUEST, units: units() }, PART_BYTES), /no more/);
  await assert.rejects(openPlan(objects, "plan"), { reason: "OBJECT_NOT_FOUND" });
});
