/** @file Connected components of a binary plane, held as runs: a row's stretches of equal pixels, joined by union-find. */

/** 4: pixels touch by an edge. 8: by an edge or a corner. */
export type Connectivity = 4 | 8;

/** A binary plane as runs, in row-major order. */
export interface Runs {
  /** Index of each run's first pixel in the plane. */
  readonly starts: Uint32Array;
  /** Index after each run's last pixel. */
  readonly ends: Uint32Array;
  /** Index of each row's first run; one more entry closes the last row. */
  readonly rows: Uint32Array;
}

/** Components, numbered from 0 in row-major order of their first pixel. */
export interface Components extends Runs {
  readonly count: number;
  /** Pixels per component. */
  readonly areas: Uint32Array;
  /** The component of each run. */
  readonly owners: Uint32Array;
}

/** Returns the components of the pixels that are 1 in a 0/1 mask of width x height. */
export const findComponents = (
  mask: Uint8Array,
  width: number,
  height: number,
  connectivity: Connectivity,
): Components => componentsOf(findRuns(mask, width, height), width, connectivity);

/** Returns the components of a plane's runs. */
export const componentsOf = (runs: Runs, width: number, connectivity: Connectivity): Components =>
  numberComponents(runs, joinRuns(runs, width, connectivity === 8 ? 1 : 0));

/** Returns a plane with 0 outside the components and component number + 1 inside. */
export const labelComponents = (components: Components, width: number, height: number): Int32Array => {
  const labels = new Int32Array(width * height);
  const { starts, ends, owners } = components;
  for (let run = 0; run < starts.length; run++) labels.fill(owners[run]! + 1, starts[run]!, ends[run]!);
  return labels;
};

/** Returns the runs of 1 in a 0/1 mask of width x height. */
export const findRuns = (mask: Uint8Array, width: number, height: number): Runs => {
  const count = countRuns(mask, width, height);
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  const rows = new Uint32Array(height + 1);
  let run = 0;
  for (let y = 0, i = 0; y < height; y++) {
    rows[y] = run;
    const rowEnd = i + width;
    while (i < rowEnd) {
      while (i < rowEnd && mask[i] === 0) i++;
      if (i === rowEnd) break;
      starts[run] = i;
      while (i < rowEnd && mask[i] !== 0) i++;
      ends[run++] = i;
    }
  }
  rows[height] = run;
  return { starts, ends, rows };
};

/** Returns the runs of the pixels between the runs. */
export const complement = ({ starts, ends, rows }: Runs, width: number): Runs => {
  const height = rows.length - 1;
  const between = {
    starts: new Uint32Array(starts.length + height),
    ends: new Uint32Array(starts.length + height),
    rows: new Uint32Array(height + 1),
  };
  let count = 0;
  const add = (start: number, end: number): void => {
    if (start === end) return;
    between.starts[count] = start;
    between.ends[count++] = end;
  };
  for (let y = 0; y < height; y++) {
    between.rows[y] = count;
    let from = y * width;
    for (let run = rows[y]!; run < rows[y + 1]!; run++) {
      add(from, starts[run]!);
      from = ends[run]!;
    }
    add(from, (y + 1) * width);
  }
  between.rows[height] = count;
  return { starts: between.starts.subarray(0, count), ends: between.ends.subarray(0, count), rows: between.rows };
};

/** Returns the components of at least `minPx` pixels, numbered anew. */
export const keepLarge = (components: Components, minPx: number): Components =>
  keepComponents(components, (component) => components.areas[component]! >= minPx);

/** Returns the components that are to be kept, numbered anew. */
export const keepComponents = (components: Components, isKept: (component: number) => boolean): Components => {
  const { starts, ends, rows, owners, areas } = components;
  const numbers = new Int32Array(components.count).fill(-1);
  const keptAreas = new Uint32Array(components.count);
  let count = 0;
  for (let component = 0; component < numbers.length; component++) {
    if (!isKept(component)) continue;
    numbers[component] = count;
    keptAreas[count++] = areas[component]!;
  }
  if (count === components.count) return components;
  const kept = {
    starts: new Uint32Array(starts.length),
    ends: new Uint32Array(starts.length),
    owners: new Uint32Array(starts.length),
    rows: new Uint32Array(rows.length),
  };
  let to = 0;
  for (let y = 0; y + 1 < rows.length; y++) {
    kept.rows[y] = to;
    for (let run = rows[y]!; run < rows[y + 1]!; run++) {
      const number = numbers[owners[run]!]!;
      if (number < 0) continue;
      kept.starts[to] = starts[run]!;
      kept.ends[to] = ends[run]!;
      kept.owners[to++] = number;
    }
  }
  kept.rows[rows.length - 1] = to;
  return {
    starts: kept.starts.subarray(0, to),
    ends: kept.ends.subarray(0, to),
    rows: kept.rows,
    count,
    areas: keptAreas.subarray(0, count),
    owners: kept.owners.subarray(0, to),
  };
};

/** Returns the 0/1 plane of runs. */
export const planeOf = (runs: Runs, pixels: number): Uint8Array => paintRuns(new Uint8Array(pixels), runs, 1);

/** Writes `value` where runs are, and returns the plane. */
export const paintRuns = (plane: Uint8Array, { starts, ends }: Runs, value: number): Uint8Array => {
  for (let run = 0; run < starts.length; run++) plane.fill(value, starts[run]!, ends[run]!);
  return plane;
};

/** Counted first: room for the worst case, half a run per pixel, would be far above what masks need. */
const countRuns = (mask: Uint8Array, width: number, height: number): number => {
  let count = 0;
  for (let y = 0, i = 0; y < height; y++) {
    let before = 0;
    for (const rowEnd = i + width; i < rowEnd; i++) {
      const inside = mask[i]!;
      count += inside & ~before;
      before = inside;
    }
  }
  return count;
};

/**
 * Union-find over runs of neighbouring rows; `reach` is how far beyond a run's ends its neighbours may lie. The earlier of two roots
 * becomes the root of both, so that roots come in row-major order.
 */
const joinRuns = ({ starts, ends, rows }: Runs, width: number, reach: number): Uint32Array => {
  const parents = new Uint32Array(starts.length);
  for (let run = 0; run < rows[1]!; run++) parents[run] = run;
  for (let y = 1; y + 1 < rows.length; y++) {
    const aboveEnd = rows[y]!;
    let above = rows[y - 1]!;
    for (let run = aboveEnd; run < rows[y + 1]!; run++) {
      const from = starts[run]! - width - reach;
      const to = ends[run]! - width + reach;
      while (above < aboveEnd && ends[above]! <= from) above++;
      let root = run;
      for (let touching = above; touching < aboveEnd && starts[touching]! < to; touching++) {
        const other = findRoot(parents, touching);
        if (other < root) {
          if (root !== run) parents[root] = other;
          root = other;
        } else parents[other] = root;
      }
      parents[run] = root;
    }
  }
  return parents;
};

const findRoot = (parents: Uint32Array, run: number): number => {
  let root = run;
  while (parents[root] !== root) {
    const above = parents[parents[root]!]!;
    parents[root] = above;
    root = above;
  }
  return root;
};

const numberComponents = (runs: Runs, parents: Uint32Array): Components => {
  const { starts, ends } = runs;
  const owners = new Uint32Array(parents.length);
  let count = 0;
  for (let run = 0; run < parents.length; run++) {
    const root = findRoot(parents, run);
    owners[run] = root === run ? count++ : owners[root]!;
  }
  const areas = new Uint32Array(count);
  for (let run = 0; run < owners.length; run++) {
    const owner = owners[run]!;
    areas[owner] = areas[owner]! + ends[run]! - starts[run]!;
  }
  return { ...runs, count, areas, owners };
};
