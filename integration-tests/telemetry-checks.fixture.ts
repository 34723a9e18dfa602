/** @file What must hold of exported telemetry, however the services run. */
import assert from "node:assert/strict";
import type { ReceivedSpan, Receiver } from "./telemetry-receiver.fixture.ts";

/** Checks that what came of a command is one connected trace without a failure, and returns its spans. */
export function traceOf({ spans }: Receiver, command: string): readonly ReceivedSpan[] {
  const roots = spans.filter(({ name }) => name === `radhical ${command}`);
  assert.equal(roots.length, 1, `${roots.length} roots of radhical ${command}`);
  const own = spans.filter(({ traceId }) => traceId === roots[0]?.traceId);
  const ids = new Set(own.map(({ spanId }) => spanId));
  const adrift = own.filter(({ spanId, parentSpanId }) => spanId !== roots[0]?.spanId && !ids.has(parentSpanId));
  const namesOf = (some: readonly ReceivedSpan[]): string[] => some.map(({ name }) => name);
  assert.deepEqual(namesOf(adrift), [], "spans whose parent did not come");
  assert.deepEqual(namesOf(own.filter(({ isFailed }) => isFailed)), [], "failed spans");
  return own;
}

/** Checks that a trace holds so many segmentations of an image, from plan to end, with units of each of these levels. */
export function checkSegmentations(trace: readonly ReceivedSpan[], count: number, levels: readonly number[]): void {
  const units = trace.filter(({ name }) => name === "inference.level");
  const seen = new Set(units.map(({ attributes }) => Number(attributes["radhical.level"])));
  assert.deepEqual([...seen].sort(), levels);
  for (const name of ["segmentation.plan", "segmentation.assemble", "segmentation.finish", "segmentation.job"]) {
    assert.equal(trace.filter((span) => span.name === name).length, count, name);
  }
}

/** Checks that nothing of what came names a file, a folder or a patient. */
export function checkNamesNobody({ everything }: Receiver, names: readonly string[]): void {
  assert.ok(everything.length > 0, "nothing came");
  for (const name of names) {
    assert.deepEqual(
      everything.filter((body) => body.includes(name)).map((body) => body.slice(0, 200)),
      [],
      `"${name}" was exported`,
    );
  }
}

/** Returns the sum of a metric over all processes and the attributes that are not named. */
export const sumOf = (
  { points }: Pick<Receiver, "points">,
  metric: string,
  wanted: Readonly<Record<string, string | number>> = {},
): number =>
  points()
    .filter(({ name, attributes }) => {
      return name === metric && Object.entries(wanted).every(([key, value]) => attributes[key] === value);
    })
    .reduce((sum, { value }) => sum + value, 0);
