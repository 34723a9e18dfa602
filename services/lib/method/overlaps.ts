/** @file Which predicted objects share pixels with which annotated nuclei. */
import type { Components } from "./components.ts";
import { IGNORED, type Nuclei } from "./nuclei.ts";

/** Pairs that share pixels, in order of the object; entry i of the three arrays is one pair. */
export interface Overlaps {
  /** The predicted objects: 8-connected components of the mask. */
  readonly objects: Components;
  /** Index of the nucleus, from 0. */
  readonly nucleus: readonly number[];
  readonly object: readonly number[];
  readonly sharedPx: readonly number[];
  /** 1 where an object touches ignored nuclei and no other. */
  readonly ignoredObjects: Uint8Array;
  /** Predicted pixels that are annotated, ignored nuclei included. */
  readonly truePx: number;
}

/** Returns the overlaps of predicted objects with the nuclei of an image of the same size. */
export const findOverlaps = (objects: Components, nuclei: Nuclei): Overlaps => {
  const order = runsByOwner(objects);
  const { starts, ends, owners } = objects;
  const { numbers, stretchEnds } = nuclei;
  const found = { nucleus: [] as number[], object: [] as number[], sharedPx: [] as number[] };
  // where the pair of a nucleus and the object at hand stands; pairs of earlier objects are before `first`
  const place = new Int32Array(nuclei.count).fill(-1);
  const ignoredObjects = new Uint8Array(objects.count);
  let truePx = 0;
  let first = 0;
  let object = -1;
  for (const run of order) {
    if (owners[run] !== object) {
      object = owners[run]!;
      first = found.nucleus.length;
    }
    for (let i = starts[run]!, next: number; i < ends[run]!; i = next) {
      next = Math.min(stretchEnds[i]!, ends[run]!);
      const number = numbers[i]!;
      if (number === 0) continue;
      truePx += next - i;
      if (number === IGNORED) {
        ignoredObjects[object] = 1;
        continue;
      }
      const at = place[number - 1]!;
      if (at >= first) {
        found.sharedPx[at] = found.sharedPx[at]! + next - i;
      } else {
        place[number - 1] = found.nucleus.push(number - 1) - 1;
        found.object.push(object);
        found.sharedPx.push(next - i);
      }
    }
  }
  for (const touched of found.object) ignoredObjects[touched] = 0;
  return { objects, ...found, ignoredObjects, truePx };
};

/** Runs ordered by the component they belong to (counting sort). */
const runsByOwner = ({ count, owners }: Components): Uint32Array => {
  const next = new Uint32Array(count + 1);
  for (const owner of owners) next[owner + 1] = next[owner + 1]! + 1;
  for (let i = 1; i <= count; i++) next[i] = next[i]! + next[i - 1]!;
  const order = new Uint32Array(owners.length);
  for (let run = 0; run < owners.length; run++) {
    const owner = owners[run]!;
    const to = next[owner]!;
    order[to] = run;
    next[owner] = to + 1;
  }
  return order;
};
