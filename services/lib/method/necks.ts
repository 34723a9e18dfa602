/** @file Nuclei that touch: a mask is cut at necks, so that each of its components is one nucleus (METHOD.md 5 and 7: touching nuclei split). */
import { type BitPlane, clearPixel, complement } from "./bit-plane.ts";
import { packRuns, unpackRuns } from "./bit-runs.ts";
import { type Components, componentsOf } from "./components.ts";
import { anyWithinOctagon } from "./neighbourhood.ts";

/** Least pixels of a core per pixel of the octagon's reach: what is smaller is a bump of an outline (docs/accuracy.md). */
const CORE_PX_PER_REACH = 2;

/** No core has grown here yet. */
const UNCLAIMED = -1;

/**
 * Returns the 8-connected components of `bodies` without the lines, a pixel wide, along which nuclei meet. Cores are what the octagon of `reach`
 * pixels leaves of a body (an erosion; beyond the border all is within); where a body has several, each pixel belongs to the core that
 * reaches it first through the body, 8 neighbours at a time, and of two neighbours that belong to different cores the one of the earlier
 * core is cut. With `reach` 0, or where no body has two cores, these are the bodies themselves.
 */
export const cutNecks = (bodies: Components, width: number, reach: number): Components => {
  if (reach === 0) return bodies;
  const plane = packRuns(bodies, width);
  const cores = componentsOf(unpackRuns(complement(anyWithinOctagon(complement(plane), reach))), width, 8);
  const crowds = findCrowds(bodies, cores, CORE_PX_PER_REACH * reach);
  if (crowds.length === 0) return bodies;
  for (const crowd of crowds) cutCrowd(crowd, plane);
  return componentsOf(unpackRuns(plane), width, 8);
};

/** A stretch of a row, and what it is marked by. */
interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly mark: number;
}

/** A body of several cores. */
interface Crowd {
  readonly runs: Stretch[];
  /** Marked by their core's number in the body, from 1. */
  readonly cores: Stretch[];
}

/** Returns the bodies that have at least two cores of `minCorePx` pixels. */
const findCrowds = (bodies: Components, cores: Components, minCorePx: number): Crowd[] => {
  const bodyOf = new Int32Array(cores.count).fill(UNCLAIMED);
  const coreNumber = new Uint32Array(cores.count);
  const coresIn = new Uint32Array(bodies.count);
  for (let run = 0, body = 0; run < cores.starts.length; run++) {
    while (bodies.ends[body]! <= cores.starts[run]!) body++;
    const core = cores.owners[run]!;
    if (bodyOf[core] !== UNCLAIMED || cores.areas[core]! < minCorePx) continue;
    const owner = bodies.owners[body]!;
    bodyOf[core] = owner;
    coresIn[owner] = coresIn[owner]! + 1;
    coreNumber[core] = coresIn[owner]!;
  }
  const crowds = new Map<number, Crowd>();
  for (let run = 0; run < bodies.starts.length; run++) {
    const owner = bodies.owners[run]!;
    if (coresIn[owner]! < 2) continue;
    const crowd = crowds.get(owner) ?? { runs: [], cores: [] };
    crowds.set(owner, crowd);
    crowd.runs.push({ start: bodies.starts[run]!, end: bodies.ends[run]!, mark: UNCLAIMED });
  }
  for (let run = 0; run < cores.starts.length; run++) {
    const core = cores.owners[run]!;
    if (bodyOf[core] === UNCLAIMED) continue;
    const mark = coreNumber[core]!;
    crowds.get(bodyOf[core]!)?.cores.push({ start: cores.starts[run]!, end: cores.ends[run]!, mark });
  }
  return [...crowds.values()];
};

/** Unsets the pixels of a body that have a neighbour of a later core. */
const cutCrowd = ({ runs, cores }: Crowd, plane: BitPlane): void => {
  const { width } = plane;
  const left = runs.reduce((least, { start }) => Math.min(least, start % width), width);
  const right = runs.reduce((most, { end }) => Math.max(most, (end - 1) % width), 0);
  const top = Math.floor(runs[0]!.start / width);
  const bottom = Math.floor(runs.at(-1)!.start / width);
  // with a frame of zeros, so that every pixel has eight neighbours
  const stride = right - left + 3;
  const marks = new Int32Array(stride * (bottom - top + 3));
  const placeOf = (pixel: number): number => {
    const y = Math.floor(pixel / width);
    return (y - top + 1) * stride + (pixel - y * width) - left + 1;
  };
  let pixels = 0;
  for (const { start, end, mark } of runs) {
    const place = placeOf(start);
    marks.fill(mark, place, place + end - start);
    pixels += end - start;
  }
  const queue = new Int32Array(pixels);
  let queued = 0;
  for (const { start, end, mark } of cores) {
    const place = placeOf(start);
    for (let at = place; at < place + end - start; at++) {
      marks[at] = mark;
      queue[queued++] = at;
    }
  }
  const neighbours = [-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1];
  for (let next = 0; next < queued; next++) {
    const at = queue[next]!;
    const own = marks[at]!;
    let isCut = false;
    for (const step of neighbours) {
      const mark = marks[at + step]!;
      if (mark === UNCLAIMED) {
        marks[at + step] = own;
        queue[queued++] = at + step;
      } else if (mark > own) isCut = true;
    }
    if (!isCut) continue;
    const row = Math.floor(at / stride);
    clearPixel(plane, at - row * stride + left - 1, row + top - 1);
  }
};
